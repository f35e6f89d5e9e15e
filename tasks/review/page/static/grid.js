// A grid that holds only the tiles in view, so that it is as quick with 100,000 images as with 100.
const WIDTH = 172, HEIGHT = 204, OVERSCAN = 1, SETTLED_MS = 60;

export class Grid {
  // `fill(tile, n)` puts an image into a tile; `wanted(ns)` is told which are in view at rest.
  constructor(root, { fill, wanted, clicked, opened }) {
    Object.assign(this, { root, fill, wanted, order: [], tiles: new Map(), free: [], at: 0 });
    this.inner = root.appendChild(document.createElement("div"));
    this.inner.style.position = "relative";
    root.addEventListener("scroll", () => this.later(), { passive: true });
    new ResizeObserver(() => this.later()).observe(root);
    const which = (event) => event.target.closest?.(".tile")?.place;
    root.addEventListener("click", (e) => which(e) !== undefined && clicked(which(e), e));
    root.addEventListener("dblclick", (e) => which(e) !== undefined && opened(which(e)));
  }

  get across() { return Math.max(1, Math.floor(this.root.clientWidth / WIDTH)); }

  show(order) {
    this.order = order;
    this.root.scrollTop = 0;
    for (const place of [...this.tiles.keys()]) this.drop(place);
    this.render();
  }

  later() {
    if (!this.frame) this.frame = requestAnimationFrame(() => { this.frame = 0; this.render(); });
  }

  render() {
    const across = this.across, rows = Math.ceil(this.order.length / across);
    this.inner.style.height = `${rows * HEIGHT}px`;
    const first = Math.max(0, Math.floor(this.root.scrollTop / HEIGHT) - OVERSCAN);
    const last = Math.ceil((this.root.scrollTop + this.root.clientHeight) / HEIGHT) + OVERSCAN;
    const from = first * across, to = Math.min(this.order.length, last * across);
    for (const place of [...this.tiles.keys()]) if (place < from || place >= to) this.drop(place);
    for (let place = from; place < to; place++) {
      const tile = this.tiles.get(place) ?? this.take(place);
      tile.style.transform = `translate(${(place % across) * WIDTH}px, ${Math.floor(place / across) * HEIGHT}px)`;
    }
    clearTimeout(this.rest);
    this.rest = setTimeout(() => this.settle(), this.settled ? SETTLED_MS : 0);
    this.settled = true;
  }

  settle() {
    const shown = [...this.tiles.values()];
    for (const tile of shown) {
      const address = `picture/${tile.n}`;
      if (tile.picture.getAttribute("src") !== address) tile.picture.src = address;
    }
    this.wanted(shown.map((tile) => tile.n));
  }

  take(place) {
    const tile = this.free.pop() ?? this.made();
    tile.place = place;
    tile.n = this.order[place];
    tile.hidden = false;
    this.tiles.set(place, tile);
    this.fill(tile, tile.n);
    return tile;
  }

  made() {
    const tile = this.inner.appendChild(document.createElement("div"));
    tile.className = "tile";
    tile.picture = tile.appendChild(document.createElement("img"));
    tile.picture.alt = "";
    tile.picture.draggable = false;
    for (const name of ["label", "guess"]) {
      tile[name] = tile.appendChild(document.createElement("span"));
      tile[name].className = name;
    }
    return tile;
  }

  drop(place) {
    const tile = this.tiles.get(place);
    this.tiles.delete(place);
    tile.hidden = true;
    tile.picture.removeAttribute("src");  // its picture is not asked for any more
    this.free.push(tile);
  }

  refill() { for (const tile of this.tiles.values()) this.fill(tile, tile.n); }

  reveal(place) {
    const top = Math.floor(place / this.across) * HEIGHT, bottom = top + HEIGHT;
    if (top < this.root.scrollTop) this.root.scrollTop = top;
    else if (bottom > this.root.scrollTop + this.root.clientHeight) this.root.scrollTop = bottom - this.root.clientHeight;
    this.later();
  }
}
