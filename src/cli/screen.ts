import type { ReadStream, WriteStream } from "node:tty";

/** The terminal that shows the screen, and the input of keys, if that is a terminal, too. */
export interface Terminal {
  readonly output: Pick<WriteStream, "write" | "columns" | "rows" | "on" | "off">;
  readonly input: Pick<ReadStream, "isTTY" | "setRawMode" | "resume" | "pause" | "on" | "off">;
}

/** Called when the user presses a key or resizes the terminal. */
export interface ScreenHandlers {
  readonly onKey: (key: string) => void;
  readonly onResize: () => void;
}

/** xterm's control sequences, which all terminals know: alternate screen, cursor, erasing. */
const ENTER = "\x1b[?1049h\x1b[?25l";
const LEAVE = "\x1b[?25h\x1b[?1049l";
const HOME = "\x1b[H";
const ERASE_LINE_END = "\x1b[K";
const ERASE_BELOW = "\x1b[J";
/** The size of a terminal that does not know its own. */
const SIZE = { columns: 80, rows: 24 } as const;

/** A terminal's whole screen. Disposing of it restores the screen's contents and the mode of the keyboard. */
export class Screen implements Disposable {
  readonly #terminal: Terminal;
  readonly #handlers: ScreenHandlers;
  readonly #onData = (data: Buffer) => {
    for (const key of data.toString()) this.#handlers.onKey(key);
  };

  constructor(terminal: Terminal, handlers: ScreenHandlers) {
    this.#terminal = terminal;
    this.#handlers = handlers;
    const { input, output } = terminal;
    output.write(ENTER);
    output.on("resize", handlers.onResize);
    if (!input.isTTY) return;
    input.setRawMode(true);
    input.on("data", this.#onData);
    input.resume();
  }

  get size(): { columns: number; rows: number } {
    const { columns, rows } = this.#terminal.output;
    return { columns: columns || SIZE.columns, rows: rows || SIZE.rows };
  }

  /** Shows lines from the top, instead of those before. They must fit. */
  draw(lines: readonly string[]): void {
    const text = lines.map((line) => `${line}${ERASE_LINE_END}`).join("\n");
    this.#terminal.output.write(`${HOME}${text}${ERASE_BELOW}`);
  }

  [Symbol.dispose](): void {
    const { input, output } = this.#terminal;
    output.off("resize", this.#handlers.onResize);
    if (input.isTTY) {
      input.off("data", this.#onData);
      input.setRawMode(false);
      input.pause();
    }
    output.write(LEAVE);
  }
}
