/**
 * The differences of two sequences, by Myers' linear-space algorithm ("An O(ND) Difference Algorithm and Its
 * Variations", 4b), as V8 has it: diagonals are followed beyond the edges too, so that of sequences with little in
 * common the differences that are found are not always the least.
 */

/** A difference: [start, end) of one text is [newStart, newEnd) of the other. */
export interface Difference {
  readonly start: number;
  readonly end: number;
  readonly newStart: number;
  readonly newEnd: number;
}

/** Two sequences, by their lengths and whether two elements are equal. */
export interface Sequences {
  readonly length: number;
  readonly newLength: number;
  readonly isEqual: (at: number, newAt: number) => boolean;
}

interface Point {
  readonly x: number;
  readonly y: number;
}

interface Box {
  readonly from: Point;
  readonly to: Point;
}

/** Finds them in order. */
export function differences(sequences: Sequences): Difference[] {
  const path = new PathFinder(sequences).find();
  const found: Difference[] = [];
  let open: Point | undefined;
  const close = ({ x, y }: Point) => {
    if (open) found.push({ start: open.x, end: x, newStart: open.y, newEnd: y });
    open = undefined;
  };
  for (let i = 1; i < path.length; i++) {
    let { x, y } = path[i - 1];
    const to = path[i];
    const walk = () => {
      while (x < to.x && y < to.y && sequences.isEqual(x, y)) {
        close({ x, y });
        x++;
        y++;
      }
    };
    walk();
    const rest = to.x - x - (to.y - y);
    if (Math.abs(rest) === 1) {
      open ??= { x, y };
      if (rest === 1) x++;
      else y++;
    }
    walk();
  }
  if (path.length > 0) close(path[path.length - 1]);
  return found;
}

/** The furthest that is reached on each diagonal, from one end. */
class Reach {
  readonly #values: Int32Array;

  constructor(size: number) {
    this.#values = new Int32Array(size);
  }

  at(diagonal: number): number {
    return this.#values[diagonal < 0 ? this.#values.length + diagonal : diagonal];
  }

  set(diagonal: number, value: number): void {
    this.#values[diagonal < 0 ? this.#values.length + diagonal : diagonal] = value;
  }
}

class PathFinder {
  readonly #sequences: Sequences;
  readonly #forward: Reach;
  readonly #backward: Reach;

  constructor(sequences: Sequences) {
    this.#sequences = sequences;
    const size = sequences.length + sequences.newLength + 1;
    this.#forward = new Reach(size);
    this.#backward = new Reach(size);
  }

  find(): Point[] {
    const { length, newLength } = this.#sequences;
    return this.#between({ from: { x: 0, y: 0 }, to: { x: length, y: newLength } }) ?? [];
  }

  #between(box: Box): Point[] | undefined {
    const middle = this.#middle(box);
    if (!middle) return undefined;
    const head = this.#between({ from: box.from, to: middle.from }) ?? [middle.from];
    const tail = this.#between({ from: middle.to, to: box.to }) ?? [middle.to];
    return [...head, ...tail];
  }

  /** A piece of a shortest path: one step and a diagonal. */
  #middle(box: Box): Box | undefined {
    const size = box.to.x - box.from.x + box.to.y - box.from.y;
    if (size === 0) return undefined;
    this.#forward.set(1, box.from.x);
    this.#backward.set(-1, box.to.x);
    for (let steps = 0; steps <= Math.ceil(size / 2); steps++) {
      const found = this.#stepForward(box, steps) ?? this.#stepBackward(box, steps);
      if (found) return found;
    }
    return undefined;
  }

  #stepForward({ from, to }: Box, steps: number): Box | undefined {
    const { isEqual } = this.#sequences;
    const reach = this.#forward;
    const shift = to.x - from.x - (to.y - from.y);
    for (let diagonal = -steps; diagonal <= steps; diagonal += 2) {
      const isDown = diagonal === -steps ||
        diagonal !== steps && reach.at(diagonal - 1) < reach.at(diagonal + 1);
      const startX = isDown ? reach.at(diagonal + 1) : reach.at(diagonal - 1);
      let x = isDown ? startX : startX + 1;
      let y = from.y + (x - from.x) - diagonal;
      const start = { x: startX, y: steps === 0 || startX !== x ? y : y - 1 };
      while (x < to.x && y < to.y && isEqual(x, y)) {
        x++;
        y++;
      }
      reach.set(diagonal, x);
      const other = diagonal - shift;
      const mayMeet = shift % 2 !== 0 && other >= 1 - steps && other <= steps - 1;
      if (mayMeet && x >= this.#backward.at(other)) return { from: start, to: { x, y } };
    }
    return undefined;
  }

  #stepBackward({ from, to }: Box, steps: number): Box | undefined {
    const { isEqual } = this.#sequences;
    const reach = this.#backward;
    const shift = to.x - from.x - (to.y - from.y);
    for (let diagonal = steps; diagonal >= -steps; diagonal -= 2) {
      const isUp = diagonal === steps ||
        diagonal !== -steps && reach.at(diagonal - 1) > reach.at(diagonal + 1);
      const startX = isUp ? reach.at(diagonal - 1) : reach.at(diagonal + 1);
      let x = isUp ? startX : startX - 1;
      const other = diagonal + shift;
      let y = from.y + (x - from.x) - other;
      const start = { x: startX, y: steps === 0 || startX !== x ? y : y + 1 };
      while (from.x < x && from.y < y && isEqual(x - 1, y - 1)) {
        x--;
        y--;
      }
      reach.set(diagonal, x);
      const mayMeet = shift % 2 === 0 && other >= -steps && other <= steps;
      if (mayMeet && x <= this.#forward.at(other)) return { from: { x, y }, to: start };
    }
    return undefined;
  }
}
