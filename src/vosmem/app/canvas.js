// Sketches points, boxes and strokes, and sends them when they are complete. Masks are kept on the server.
const find = (selector) => element.querySelector(selector);
const empty = find(".empty"), editor = find(".editor"), chips = find(".chips"), naming = find(".name");
const image = find("img"), canvas = find("canvas"), size = find(".size input"), caption = find(".caption");
const notes = find(".notes");
const pen = canvas.getContext("2d");
let shown = null, tool = "on", chosen = 1, stroke = null;
let prompts = {}; // of the frame, by object id: a box or null, and points [x, y, 1 on the object or 0]
let asked = 0; // number of the last prompt that was sent

function show() {
  const value = props.value;
  if (value?.asked && shown && value.t !== shown.t) return; // the visitor went to another frame meanwhile
  shown = value;
  empty.hidden = Boolean(shown);
  editor.hidden = !shown;
  if (!shown) return;
  // Points that were set meanwhile are not in the answer to an earlier prompt.
  const isLate = shown.asked && shown.asked !== asked;
  if (!isLate) prompts = shown.prompts;
  editor.classList.toggle("busy", Boolean(isLate));
  image.src = shown.picture;
  caption.textContent = shown.caption;
  editor.classList.toggle("locked", shown.locked);
  element.dataset.frame = shown.t;
  find(".frame").style.setProperty("--ratio", shown.width / shown.height);
  document.documentElement.style.setProperty("--at", shown.count > 1 ? shown.t / (shown.count - 1) : 0);
  notes.replaceChildren(...shown.notes.map((text) => Object.assign(document.createElement("li"), { textContent: text })));
  if (!shown.objects.some((object) => object.id === chosen)) chosen = shown.objects[0].id;
  chips.replaceChildren(...shown.objects.map(makeChip));
  showName();
}

function makeChip(object, index) {
  const chip = document.createElement("button");
  const isNew = index && index + 1 === shown.objects.length;
  chip.type = "button";
  chip.dataset.object = object.id;
  chip.setAttribute("aria-label", `Object ${object.id}${object.name && `, ${object.name}`}`);
  chip.setAttribute("aria-pressed", String(object.id === chosen));
  chip.style.setProperty("--colour", object.colour);
  chip.textContent = object.name || (isNew ? `+ ${object.id}` : object.id);
  if (index < 9) chip.title = `Object ${object.id} (${index + 1})`;
  return chip;
}

function press(group, kept) {
  for (const button of group) button.setAttribute("aria-pressed", String(button === kept));
}

const objectOf = (id) => shown.objects.find((object) => object.id === id);
const radius = () => (size.value / 200) * Math.min(shown.width, shown.height);

function showName() {
  if (document.activeElement !== naming) naming.value = objectOf(chosen).name;
}

function pointOf(event) {
  const box = canvas.getBoundingClientRect();
  const x = ((event.clientX - box.left) / box.width) * shown.width;
  const y = ((event.clientY - box.top) / box.height) * shown.height;
  return [Math.round(x * 10) / 10, Math.round(y * 10) / 10];
}

// Draws the prompt of the chosen object and, over it, what is being drawn.
function sketch() {
  pen.clearRect(0, 0, canvas.width, canvas.height);
  const pixel = shown.width / Math.max(1, canvas.getBoundingClientRect().width); // of the screen
  const own = prompts[chosen];
  pen.strokeStyle = objectOf(chosen).colour;
  pen.lineWidth = 2 * pixel;
  if (own?.box) pen.strokeRect(own.box[0], own.box[1], own.box[2] - own.box[0], own.box[3] - own.box[1]);
  for (const [x, y, on] of own?.points ?? []) sketchPoint(x, y, on, pixel);
  if (cursor && document.activeElement === canvas) {
    pen.strokeStyle = "white";
    pen.strokeRect(cursor[0] - 8 * pixel, cursor[1] - 8 * pixel, 16 * pixel, 16 * pixel);
  }
  if (!stroke) return;
  const [first, last] = [stroke.points[0], stroke.points.at(-1)];
  if (stroke.tool === "box") pen.strokeRect(first[0], first[1], last[0] - first[0], last[1] - first[1]);
  if (stroke.tool !== "brush" && stroke.tool !== "erase") return;
  if (stroke.tool === "erase") pen.strokeStyle = "white";
  pen.globalAlpha = 0.7;
  pen.lineCap = pen.lineJoin = "round";
  pen.lineWidth = 2 * radius();
  pen.beginPath();
  pen.moveTo(...first);
  for (const point of stroke.points) pen.lineTo(...point);
  pen.stroke();
  pen.globalAlpha = 1;
}

function sketchPoint(x, y, on, pixel) {
  pen.beginPath();
  pen.arc(x, y, 7 * pixel, 0, 2 * Math.PI);
  pen.fillStyle = on ? objectOf(chosen).colour : "black";
  pen.fill();
  pen.lineWidth = 2 * pixel;
  pen.strokeStyle = "white";
  pen.moveTo(x - 4 * pixel, y);
  pen.lineTo(x + 4 * pixel, y);
  if (on) {
    pen.moveTo(x, y - 4 * pixel);
    pen.lineTo(x, y + 4 * pixel);
  }
  pen.stroke();
  pen.beginPath();
  pen.arc(x, y, 7 * pixel, 0, 2 * Math.PI);
  pen.stroke();
}

function mark(box, points) {
  prompts = { ...prompts, [chosen]: { box, points } };
  asked += 1;
  editor.classList.add("busy");
  trigger("mark", { t: shown.t, number: chosen, box, points, asked });
}

function addPoint(point, on) {
  const own = prompts[chosen];
  mark(own?.box ?? null, [...(own?.points ?? []), [...point, on ? 1 : 0]]);
}

function finish() {
  const [first, last] = [stroke.points[0], stroke.points.at(-1)];
  const number = stroke.tool === "erase" ? 0 : chosen;
  if (stroke.tool === "box") mark([...first, ...last], []);
  else if (stroke.tool === "on" || stroke.tool === "off") addPoint(last, stroke.tool === "on");
  else trigger("stroke", { t: shown.t, number, points: stroke.points, radius: radius() });
  const isPrompt = stroke.tool !== "brush" && stroke.tool !== "erase";
  stroke = null;
  if (isPrompt) sketch(); // a stroke stays until its mask comes
}

const OPPOSITE = { on: "off", off: "on", brush: "erase", erase: "brush", box: "box" }; // of the right button

canvas.addEventListener("pointerdown", (event) => {
  if (!shown || shown.locked || event.shiftKey || event.button === 1 || !event.isPrimary) return;
  canvas.setPointerCapture(event.pointerId);
  stroke = { tool: event.button === 2 ? OPPOSITE[tool] : tool, points: [pointOf(event)] };
  sketch();
});
canvas.addEventListener("pointermove", (event) => {
  if (!stroke || !event.isPrimary) return;
  stroke.points.push(...(event.getCoalescedEvents?.() ?? []).map(pointOf), pointOf(event));
  sketch();
});
canvas.addEventListener("pointerup", (event) => { if (stroke && event.isPrimary) finish(); });
function cancel() {
  stroke = null;
  if (shown) sketch();
}
canvas.addEventListener("pointercancel", cancel);
canvas.addEventListener("contextmenu", (event) => event.preventDefault());
canvas.addEventListener("mousedown", (event) => {
  event.preventDefault(); // the keys stay those of the page, and are not those of the canvas
  document.activeElement?.blur();
});

// Points without a pointer: arrow keys move a cursor, and Enter sets a point.
let cursor = null;
const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
canvas.addEventListener("keydown", (event) => {
  if (!shown || !(event.key in MOVES || event.key === "Enter")) return;
  event.preventDefault();
  event.stopPropagation();
  const step = (event.shiftKey ? 0.005 : 0.03) * Math.max(shown.width, shown.height);
  const [x, y] = (MOVES[event.key] ?? [0, 0]).map((own, axis) => cursor[axis] + step * own);
  cursor = [Math.min(Math.max(x, 0), shown.width - 1), Math.min(Math.max(y, 0), shown.height - 1)];
  if (event.key === "Enter" && !shown.locked) addPoint(cursor, tool !== "off");
  sketch();
});
canvas.addEventListener("focus", () => {
  cursor ??= [shown.width / 2, shown.height / 2];
  sketch();
});
canvas.addEventListener("blur", () => { if (shown) sketch(); });

image.addEventListener("load", () => {
  if (!shown || stroke) return;
  const fine = Math.max(1, Math.round(1280 / shown.width)); // so that points in small frames are round
  canvas.width = fine * shown.width;
  canvas.height = fine * shown.height;
  pen.scale(fine, fine);
  sketch();
});
naming.addEventListener("change", () => trigger("rename", { t: shown.t, number: chosen, name: naming.value }));
