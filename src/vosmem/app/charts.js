// A click on a frame to check, or on a curve, shows that frame.
element.addEventListener("click", (event) => {
  const button = event.target.closest("[data-go]"), chart = event.target.closest("[data-last]");
  if (button) trigger("go", { t: Number(button.dataset.go) });
  else if (chart) {
    const box = chart.getBoundingClientRect();
    trigger("go", { t: Math.round(((event.clientX - box.left) / box.width) * Number(chart.dataset.last)) });
  }
});
