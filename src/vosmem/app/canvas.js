// Sketches strokes and boxes while the pointer moves, and sends them when they are complete. Masks are kept on the server.
const find = (selector) => element.querySelector(selector);
const empty = find(".empty"), editor = find(".editor"), chips = find(".chips");
const image = find("img"), canvas = find("canvas"), size = find("input[type=range]"), caption = find(".caption");
const pen = canvas.getContext("2d");
let shown = null, tool = "brush", chosen = 1, stroke = null;

function show() {
  shown = props.value;
  empty.hidden = Boolean(shown);
  editor.hidden = !shown;
  if (!shown) return;
  image.src = shown.picture;
  caption.textContent = shown.caption;
  editor.classList.toggle("locked", shown.locked);
  element.dataset.frame = shown.t;
  find(".frame").style.setProperty("--ratio", shown.width / shown.height);
  document.documentElement.style.setProperty("--at", shown.count > 1 ? shown.t / (shown.count - 1) : 0);
  if (!shown.objects.some((object) => object.id === chosen)) chosen = shown.objects[0].id;
  const choices = shown.objects.map((object, index) => {
    const chip = document.createElement("button");
    chip.type = "button";
    chip.dataset.object = object.id;
    chip.setAttribute("role", "radio");
    chip.setAttribute("aria-label", `Object ${object.id}`);
    chip.setAttribute("aria-checked", String(object.id === chosen));
    chip.style.setProperty("--colour", object.colour);
    chip.textContent = index + 1 === shown.objects.length && index ? `+ ${object.id}` : object.id;
    return chip;
  });
  chips.replaceChildren(...choices);
}

function fit() {
  if (stroke || !shown) return;
  canvas.width = shown.width;
  canvas.height = shown.height;
}

function check(group, kept) {
  for (const button of group) button.setAttribute("aria-checked", String(button === kept));
}

const colour = () => shown.objects.find((object) => object.id === chosen).colour;
const radius = () => (size.value / 200) * Math.min(shown.width, shown.height);

function pointOf(event) {
  const box = canvas.getBoundingClientRect();
  const x = ((event.clientX - box.left) / box.width) * shown.width;
  const y = ((event.clientY - box.top) / box.height) * shown.height;
  return [Math.round(x * 10) / 10, Math.round(y * 10) / 10];
}

function sketch() {
  pen.clearRect(0, 0, canvas.width, canvas.height);
  const [first, last] = [stroke[0], stroke[stroke.length - 1]];
  pen.strokeStyle = tool === "erase" ? "white" : colour();
  if (tool === "box") {
    pen.lineWidth = Math.max(1, canvas.width / 250);
    pen.strokeRect(first[0], first[1], last[0] - first[0], last[1] - first[1]);
    return;
  }
  pen.globalAlpha = 0.7;
  pen.lineCap = pen.lineJoin = "round";
  pen.lineWidth = 2 * radius();
  pen.beginPath();
  pen.moveTo(...first);
  for (const point of stroke) pen.lineTo(...point);
  pen.stroke();
  pen.globalAlpha = 1;
}

canvas.addEventListener("pointerdown", (event) => {
  if (!shown || shown.locked || event.button) return;
  canvas.setPointerCapture(event.pointerId);
  stroke = [pointOf(event)];
  sketch();
});
canvas.addEventListener("pointermove", (event) => {
  if (!stroke) return;
  stroke.push(...(event.getCoalescedEvents?.() ?? []).map(pointOf), pointOf(event));
  sketch();
});
canvas.addEventListener("pointerup", () => {
  if (!stroke) return;
  const [first, last] = [stroke[0], stroke[stroke.length - 1]];
  const common = { t: shown.t, number: tool === "erase" ? 0 : chosen };
  if (tool === "box") trigger("box", { ...common, box: [...first, ...last] });
  else trigger("stroke", { ...common, points: stroke, radius: radius() });
  stroke = null;
});
canvas.addEventListener("pointercancel", () => { stroke = null; fit(); });

element.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button || !shown) return;
  if (button.dataset.tool) {
    tool = button.dataset.tool;
    check(element.querySelectorAll("[data-tool]"), button);
  } else if (button.dataset.object) {
    chosen = Number(button.dataset.object);
    check(chips.children, button);
  } else if (button.dataset.do === "undo") trigger("undo", { t: shown.t });
  else if (button.dataset.do === "clear") trigger("clear", { t: shown.t });
});
image.addEventListener("load", fit);
watch("value", show);
show();
