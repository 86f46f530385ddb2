// A graph in a file: the server says whether it is one, and where its page is.
const says = document.getElementById("file-says");

document.getElementById("file").addEventListener("change", async (event) => {
  const [file] = event.target.files;
  if (!file) return;
  says.textContent = `reading ${file.name}`;
  try {
    const answer = await fetch(`/graph/open?name=${encodeURIComponent(file.name)}`, { method: "POST", body: file });
    const text = await answer.text();
    const told = answer.headers.get("content-type").startsWith("application/json") ? JSON.parse(text) : { error: text };
    if (!answer.ok) throw new Error(told.error);
    location.assign(told.address);
  } catch (error) {
    says.textContent = error.message;
  }
});
document.querySelector(".opening").hidden = false;

// While a graph is traced the page asks again, and keeps what stands behind the # of its address.
if (document.getElementById("waiting")) setTimeout(() => location.reload(), 1000);

// Ctrl-Enter in the prompt traces it.
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.matches("#text, #targets")) document.getElementById("question").requestSubmit();
});
