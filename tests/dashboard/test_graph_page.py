"""The page of a graph: all of it without a script; with one, pruned, looked at, pinned, grouped, folded and written."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from monosema.core.findings import Finding
from monosema.dashboard.graph.layout import SHAPES, STEP, WORDS, drawn
from monosema.dashboard.graph.page import graph_page, write_graph_page
from monosema.dashboard.graph.values import KINDS, Context, EdgeValues, Graphed, GraphValues, NodeValues

from .examples import NASTY
from .html import read
from .test_colours import contrast, rgb
from .test_exhibit_page import open_page

CSS = (Path(__file__).parents[2] / "src/monosema/dashboard/assets/graph.css").read_text(encoding="utf-8")
FAULTS = (Path(__file__).parent / "accessibility.js").read_text(encoding="utf-8").partition("\n")[2]


def made_up(text: str = " b") -> GraphValues:
    """Two tokens, two layers. 0_7_1 adds 2 to the logit, 1_3_1 takes .5 away; 0_7_1 adds 1.5 to 1_3_1."""
    window = Context("before ", text, " after", 4.25)
    nodes = (
        NodeValues("0_7_1", "feature", 0, 1, "feature 7", 2.5, 0.6, 0.6, (window,)),
        NodeValues("1_3_1", "feature", 1, 1, "feature 3", 1.25, 0.3, 0.9),
        NodeValues("0_-1_0", "error", 0, 0, "error", None, 0.1, 1.0),
        NodeValues("E_4_0", "token", -1, 0, "token 0 'a'", None, 0.2, 0.0),
        NodeValues("E_5_1", "token", -1, 1, f"token 1 {text!r}", None, 0.4, 0.0),
        NodeValues("B_-1_-1", "bias", -1, -1, "all biases", None, 0.05, 1.0),
        NodeValues("L_9_1", "logit", 2, 1, "logit 'c'", 0.75, 0.0, 0.0),
    )
    ends = (
        (4, 0, 3.0, 0.4),
        (0, 6, 2.0, 0.7),
        (0, 1, 1.5, 0.85),
        (1, 6, -0.5, 0.95),
        (2, 1, 0.1, 0.98),
        (5, 6, 0.05, 1.0),
    )
    found = Finding("replacement", 0.75, 0.25, "shuffled", 0.75, 0.75, 7, "nodes")
    paths = ((0.125, "' b' > 0_7_1 > 'c' (p=0.750)"),)
    edges = tuple(EdgeValues(*end) for end in ends)
    return GraphValues("tiny", f"a{text}", ("a", text), 2, nodes, edges, (found,), paths, (("constants", "True"),))


def page_of(values: GraphValues) -> Graphed:
    """With a document that has names of its own and a slug that would end a script."""
    nodes = [{"node_id": f"file {node.name}"} for node in values.nodes]
    document = {"metadata": {"slug": "a</script>b"}, "qParams": {"linkType": "both"}, "nodes": nodes, "links": []}
    return Graphed(values, json.dumps(document))


def test_every_node_and_edge_is_there_without_a_script():
    root = read(graph_page(page_of(made_up())))
    said = [mark.attributes["aria-label"] for mark in root.find("g", class_="node")]
    assert "feature 7, layer 0 at token 1 ' b', activation 2.5, influence 0.6" in said
    assert "logit 'c', probability 0.75" in said and "error, layer 0 at token 0 'a', influence 0.1" in said
    ends = {
        (e.attributes["data-s"], e.attributes["data-t"], e.attributes["data-w"])
        for e in root.find("path", class_="edge")
        if "data-s" in e.attributes
    }
    assert ends == {
        ("4", "0", "3"),
        ("0", "6", "2"),
        ("0", "1", "1.5"),
        ("1", "6", "-0.5"),
        ("2", "1", "0.1"),
        ("5", "6", "0.05"),
    }
    words = " ".join(root.words().split())
    assert "0.750 control 0.250" in words and "' b' > 0_7_1 > 'c' (p=0.750)" in words and "before" in words
    assert [e.attributes["data-w"] for e in root.find("path", class_="minus") if "data-w" in e.attributes] == ["-0.5"]


def test_tokens_go_right_and_layers_up():
    marks = {mark.node.name: mark for mark in drawn(made_up()).marks}
    rising = ("E_5_1", "0_7_1", "1_3_1", "L_9_1")
    assert sorted(rising, key=lambda name: -marks[name].y) == list(rising)
    assert marks["B_-1_-1"].x < marks["E_4_0"].x < marks["E_5_1"].x == marks["0_7_1"].x
    assert marks["0_7_1"].y == marks["0_-1_0"].y


def test_a_logit_has_its_text_beside_it():
    [label] = drawn(made_up()).logits
    [mark] = [mark for mark in drawn(made_up()).marks if mark.node.kind == "logit"]
    assert label.text == "'c' 0.75" and mark.x < label.x < drawn(made_up()).width and abs(mark.y - label.y) < 6


def test_no_two_marks_are_nearer_than_a_step():
    one = made_up()
    crowd = tuple(replace(one.nodes[0], name=f"0_{i}_1", influence=1 / (i + 1)) for i in range(40))
    marks = drawn(replace(one, nodes=(*one.nodes, *crowd))).marks
    places = [(mark.x, mark.y) for mark in marks]
    apart = [abs(a[0] - b[0]) + abs(a[1] - b[1]) for i, a in enumerate(places) for b in places[:i]]
    assert len(set(places)) == 47 and min(apart) >= STEP


def test_every_kind_has_a_shape_a_colour_and_a_word():
    assert set(KINDS) == SHAPES.keys() == WORDS.keys() and len(set(SHAPES.values())) == len(KINDS)
    assert all(re.search(rf"\.shape\.{kind}\b", CSS) for kind in KINDS)


def test_colours_stand_out_in_both_themes():
    light, system, dark = (
        dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", block))
        for block in re.findall(r"\{([^{}]*--feature:[^{}]*)\}", CSS)
    )
    assert system == dark and light.keys() == dark.keys()
    for colours, paper in ((light, "#fdfcfa"), (dark, "#131517")):
        assert all(contrast(rgb(colour), rgb(paper)) >= 3 for colour in colours.values())


@pytest.mark.parametrize("text", NASTY)
def test_text_of_tokens_stays_text(text: str):
    page = graph_page(page_of(made_up(text)))
    root = read(page)
    script, document = sorted(root.find("script"), key=lambda element: element.attributes["type"] == "application/json")
    assert json.loads(document.words())["metadata"]["slug"] == "a</script>b" and "id" not in script.attributes
    assert not root.find("img") and page == graph_page(page_of(made_up(text)))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_graph_page(tmp_path / "trace.html", page_of(made_up()))
    return tmp_path / "trace.html"


def at(page, name: str):
    return page.locator(f'.nodes .node[data-name="{name}"]')


def box(page, name: str):
    """The one node that a group is drawn as."""
    return page.locator(f'.nodes g.box[aria-label^="group {name}: "]')


def group(page, title: str, *names: str) -> None:
    for name in names:
        at(page, name).click()
    page.locator("#group-name").fill(title)
    page.locator("#grouping button").click()


@pytest.mark.browser
@pytest.mark.slow
def test_a_node_is_looked_at_by_mouse_and_by_key(browser, path: Path):
    page, complaints, requests = open_page(browser, path)
    at(page, "0_7_1").hover()
    assert page.locator("#looked-title").inner_text().startswith("0_7_1: feature 7")
    assert page.locator("#edges-in tr").all_inner_texts() == ["E_5_1 · token 1 ' b'\t+3.00"]
    assert [row.split("\t")[1] for row in page.locator("#edges-out tr").all_inner_texts()] == ["+2.00", "+1.50"]
    assert "before" in page.locator("#contexts").inner_text()
    assert "before" in page.locator("#tip").inner_text() and "influence 0.6" in page.locator("#tip").inner_text()
    at(page, "E_5_1").focus()
    page.keyboard.press("ArrowRight")
    assert page.locator("#looked-title").inner_text().startswith("0_7_1")
    page.keyboard.press("Enter")
    assert page.url.endswith("#pins=0_7_1") and at(page, "0_7_1").get_attribute("aria-pressed") == "true"
    page.keyboard.press(" ")
    assert at(page, "0_7_1").get_attribute("aria-pressed") == "false" and "pins" not in page.url
    assert (complaints, [url for url in requests if not url.startswith("data:")]) == ([], [path.as_uri()])
    page.close()


@pytest.mark.browser
@pytest.mark.slow
def test_the_address_keeps_pins_groups_and_sliders(browser, path: Path):
    page, complaints, _ = open_page(browser, path)
    group(page, "both, & 5% more", "0_7_1", "1_3_1")
    at(page, "L_9_1").click()
    page.locator("#prune-edges").fill("90")
    page.locator("#prune-edges").dispatch_event("change")
    other, _, _ = open_page(browser, path)
    other.goto(page.url)
    other.reload()
    for one in (page, other):
        assert "both, & 5% more: 0_7_1, 1_3_1" in one.locator("#groups").text_content()
        assert one.locator("#between tr").all_inner_texts() == ["both, & 5% more\tL_9_1\t+1.50"]
        assert one.locator("#prune-edges").input_value() == "90"
        assert "L_9_1" in one.locator("#pinned").inner_text()
    page.locator("#groups button:text-is('Ungroup')").click()
    assert "group" not in page.url and page.locator("#pinned li").count() == 3
    assert complaints == []
    page.close()
    other.close()


@pytest.mark.browser
@pytest.mark.slow
def test_sliders_leave_what_matters_and_what_is_pinned(browser, path: Path):
    page, complaints, _ = open_page(browser, path)
    assert page.locator("#counts").inner_text() == "7 nodes, 6 edges"
    page.locator("#prune-nodes").fill("60")
    assert page.locator("#counts").inner_text() == "4 nodes, 2 edges"
    assert at(page, "0_7_1").is_visible() and at(page, "E_4_0").is_visible() and not at(page, "1_3_1").is_visible()
    page.goto(f"{path.as_uri()}#pins=1_3_1&nodes=60")
    assert page.locator("#counts").inner_text() == "5 nodes, 4 edges"
    page.locator("#prune-edges").fill("70")
    assert page.locator("#counts").inner_text() == "5 nodes, 2 edges"
    page.goto(f"{path.as_uri()}#pins=none,E_4_0&group=,x&nodes=none")
    assert page.locator("#pinned li").count() == 1 and complaints == []
    page.close()


@pytest.mark.browser
@pytest.mark.slow
def test_a_group_is_one_node_with_the_sums_of_its_edges(browser, path: Path):
    page, complaints, _ = open_page(browser, path)
    group(page, "pair", "0_7_1", "1_3_1")
    assert box(page, "pair").is_visible() and not at(page, "0_7_1").is_visible() and not at(page, "1_3_1").is_visible()
    assert (
        page.locator("#counts").inner_text() == "6 nodes, 4 edges"
    )  # 7 - 2 + 1; token, error, logit by the group; bias
    box(page, "pair").focus()
    # 2 of 0_7_1 and -.5 of 1_3_1; the 1.5 between them is inside.
    assert page.locator("#edges-out tr").all_inner_texts() == ["L_9_1 · logit 'c', probability 0.75\t+1.50"]
    assert [row.split("\t")[1] for row in page.locator("#edges-in tr").all_inner_texts()] == ["+3.00", "+0.100"]
    at(page, "L_9_1").focus()
    assert [row.split("\t")[1] for row in page.locator("#edges-in tr").all_inner_texts()] == ["+1.50", "+0.0500"]
    page.locator("#edges-in button").first.click()
    assert page.evaluate("document.activeElement.getAttribute('aria-label')").startswith("group pair: 2 nodes")
    page.keyboard.press("Enter")
    assert page.url.endswith("open=0") and at(page, "0_7_1").is_visible() and box(page, "pair").count() == 0
    assert page.evaluate("document.activeElement.dataset.name") == "0_7_1"
    page.reload()
    assert at(page, "0_7_1").is_visible() and at(page, "0_7_1").evaluate("e => e.classList.contains('grouped')")
    at(page, "1_3_1").focus()
    page.keyboard.press("f")
    assert "open=" not in page.url and box(page, "pair").is_visible() and not at(page, "1_3_1").is_visible()
    group(page, "ends", "E_5_1", "L_9_1")
    assert page.locator("#between tr").all_inner_texts() == ["pair\tends\t+1.50", "ends\tpair\t+3.00"]
    box(page, "pair").focus()
    edges = [*page.locator("#edges-in tr").all_inner_texts(), *page.locator("#edges-out tr").all_inner_texts()]
    assert [row.partition(" ")[0] + row.partition("\t")[2] for row in edges] == [
        "group+3.00",
        "0_-1_0+0.100",
        "group+1.50",
    ]
    assert complaints == []
    page.close()


@pytest.mark.browser
@pytest.mark.slow
def test_boxes_stand_on_nothing_and_inside(browser, tmp_path: Path):
    one = made_up()
    crowd = tuple(replace(one.nodes[0], name=f"0_{i + 10}_1", influence=1 / (i + 2)) for i in range(30))
    groups = (("a rather long name of a group", "0_7_1", "0_10_1"), ("second", "0_11_1", "0_12_1"), ("third", "1_3_1"))
    values = replace(one, nodes=(*one.nodes, *crowd), groups=groups, pins=("E_4_0",))
    write_graph_page(tmp_path / "crowd.html", page_of(values))
    page, complaints, _ = open_page(browser, tmp_path / "crowd.html")
    assert page.locator(".nodes .box rect.shape").count() == 3 and page.locator("#pinned li").count() == 1
    overlaps = page.evaluate("""() => {
      const rects = [...document.querySelectorAll(".nodes .node:not(.gone) .shape, .logittext, .tokentext")]
        .map((e) => e.getBoundingClientRect());
      const apart = (a, b) => a.right - 1 <= b.left || a.bottom - 1 <= b.top;
      const meet = (a, b) => !apart(a, b) && !apart(b, a);
      return rects.flatMap((a, i) => rects.slice(0, i).filter((b) => meet(a, b))).length;
    }""")
    assert overlaps == 0
    page.goto(f"{(tmp_path / 'crowd.html').as_uri()}#pins=")
    page.reload()
    assert page.locator(".nodes g.box").count() == 0 and page.locator("#pinned li").count() == 0
    assert complaints == []
    page.close()


@pytest.mark.browser
@pytest.mark.slow
def test_the_graph_is_written_with_its_pins_and_groups(browser, path: Path, tmp_path: Path):
    page, complaints, _ = open_page(browser, path)
    group(page, "both, & more", "0_7_1", "1_3_1")
    at(page, "L_9_1").click()
    with page.expect_download() as waited:
        page.locator("#download").click()
    waited.value.save_as(tmp_path / "written.json")
    written = json.loads((tmp_path / "written.json").read_text(encoding="utf-8"))
    assert written["qParams"] == {
        "linkType": "both",
        "pinnedIds": ["file 0_7_1", "file 1_3_1", "file L_9_1"],
        "supernodes": [["both, & more", "file 0_7_1", "file 1_3_1"]],
    }
    assert len(written["nodes"]) == 7 and complaints == []
    page.close()


@pytest.mark.browser
@pytest.mark.slow
def test_narrow_windows_both_themes_and_no_script(browser, path: Path):
    bare, _, _ = open_page(browser, path, java_script_enabled=False)
    assert at(bare, "0_7_1").is_visible() and not bare.locator(".looked").is_visible()
    assert bare.locator(".context").is_visible()
    bare.close()
    for scheme in ("light", "dark"):
        page, complaints, _ = open_page(browser, path, color_scheme=scheme)
        at(page, "0_7_1").click()
        for width in (400, 800, 1280):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert (page.evaluate(FAULTS), complaints) == ([], [])
        page.close()
