// The graph as Neuronpedia's JSON, with the pins and groups of this moment.
byId("download").addEventListener("click", async () => {
  const from = byId("download").dataset.from;
  const text = from ? await (await fetch(from)).text() : byId("document").textContent;
  const file = JSON.parse(text);
  const called = (node) => file.nodes[Number(node.element.dataset.i)].node_id;
  file.qParams.pinnedIds = [...new Set([...pins, ...groups.flatMap((group) => group.members)])].map(called);
  file.qParams.supernodes = groups.map((group) => [group.name, ...group.members.map(called)]);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([JSON.stringify(file)], { type: "application/json" }));
  link.download = `${file.metadata.slug || "graph"}.json`;
  link.click();
  URL.revokeObjectURL(link.href);
  tell("written");
});

read();
