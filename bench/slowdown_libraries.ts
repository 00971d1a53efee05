/** The libraries whose speed with probes `slowdown_bench.ts` measures, and their work. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const LIBRARIES = fileURLToPath(new URL("../../test/node_modules/", import.meta.url));

/** A library, as the scripts that it consists of. */
export interface Library {
  /** In the order in which they are loaded. */
  readonly files: readonly string[];
  /** @returns the work; `exports` are those of each file. */
  readonly prepare: (exports: readonly unknown[]) => () => unknown;
}

interface Parser {
  parse(text: string, options: object): unknown;
}

interface Formatter {
  format(text: string, options: object): unknown;
}

interface Lodash {
  range(end: number): number[];
  cloneDeep<T>(value: T): T;
  groupBy(list: object[], key: string): unknown;
  isEqual(one: unknown, other: unknown): boolean;
  sortBy(list: object[], keys: string[]): unknown;
}

const text = (file: string) => readFileSync(join(LIBRARIES, file), "utf8");

export const SLOWDOWN_LIBRARIES: Readonly<Record<string, Library>> = {
  acorn: {
    files: ["acorn/dist/acorn.js"],
    prepare([acorn]) {
      const source = text("express/lib/response.js");
      return () => (acorn as Parser).parse(source, { ecmaVersion: 2024 });
    },
  },
  "@babel/parser": {
    files: ["@babel/parser/lib/index.js"],
    prepare([babel]) {
      const source = text("express/lib/response.js");
      return () => (babel as Parser).parse(source, { sourceType: "script" });
    },
  },
  prettier: {
    files: ["prettier/plugins/babel.js", "prettier/plugins/estree.js", "prettier/standalone.js"],
    prepare([babel, estree, prettier]) {
      const source = text("express/lib/view.js");
      const options = { parser: "babel", plugins: [babel, estree] };
      return () => (prettier as Formatter).format(source, options);
    },
  },
  lodash: {
    files: ["lodash/lodash.js"],
    prepare([exports]) {
      const lodash = exports as Lodash;
      return () => {
        const list = lodash.range(1000).map((i) => ({ a: i % 7, b: { c: [i] } }));
        lodash.groupBy(list, "a");
        lodash.isEqual(list, lodash.cloneDeep(list));
        lodash.sortBy(list, ["a"]);
      };
    },
  },
};

/** The path of a library's file, and its source. */
export function readScript(file: string): { readonly path: string; readonly source: string } {
  return { path: join(LIBRARIES, file), source: text(file) };
}
