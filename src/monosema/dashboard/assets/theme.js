// Before the first paint: the theme that was chosen by hand, and which effect is underlined.
try {
  const theme = localStorage.getItem("monosema theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  const effect = localStorage.getItem("monosema effect");
  if (["total", "direct", "none"].includes(effect)) document.documentElement.dataset.effect = effect;
} catch {
  // Storage is refused: the system's choice stands.
}
document.documentElement.classList.add("js");
