"""Reading a page as a browser would, strictly: what opens must be closed, in order."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "link", "br", "img", "input", "hr"}
SELF_CLOSED_SVG = {"line", "circle", "rect", "path", "polyline"}


@dataclass
class Element:
    """An element with its attributes, children and the text directly in it."""

    tag: str
    attributes: dict[str, str | None] = field(default_factory=dict)
    children: list["Element"] = field(default_factory=list)
    text: str = ""

    def find(self, tag: str, **attributes: str) -> list["Element"]:
        """Every element below with this tag ('' for any) and these attributes; `class_` looks for one class."""
        found = []
        for child in self.children:
            if tag in ("", child.tag) and all(child.has(name, value) for name, value in attributes.items()):
                found.append(child)
            found.extend(child.find(tag, **attributes))
        return found

    def has(self, name: str, value: str) -> bool:
        if name == "class_":
            return value in (self.attributes.get("class") or "").split()
        return self.attributes.get(name.replace("_", "-")) == value

    def words(self) -> str:
        """All text in it and below."""
        return self.text + "".join(child.words() for child in self.children)


class Reader(HTMLParser):
    """Builds the tree; raises AssertionError on what is not closed or closed twice."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("")
        self.open = [self.root]

    def handle_starttag(self, tag, attrs):
        element = Element(tag, dict(attrs))
        assert len(element.attributes) == len(attrs), f"<{tag}> repeats an attribute: {attrs}"
        self.open[-1].children.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag, attrs):
        assert tag in SELF_CLOSED_SVG, f"<{tag}/> is not closed by its slash"
        self.open[-1].children.append(Element(tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open[-1].tag == tag, f"</{tag}> closes <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, data):
        self.open[-1].children.append(Element("#text", text=data))

    def handle_comment(self, data):
        raise AssertionError(f"a comment: {data[:60]}")


def read(page: str) -> Element:
    """The tree of a page."""
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert len(reader.open) == 1, f"<{reader.open[-1].tag}> is never closed"
    return reader.root
