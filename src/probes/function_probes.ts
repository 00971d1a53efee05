import type {
  AnyNode,
  Expression,
  Function as FunctionNode,
  ModuleDeclaration,
  Program,
  PropertyDefinition,
  Statement,
} from "acorn";
import type { Edits } from "./edits.ts";
import { PROBE_NAMES } from "./probe_names.ts";
import { hitBefore, type HitStatement } from "./probe_text.ts";
import type { ProbesOptions } from "./probes.ts";
import type { ClassNode } from "./probe_walk.ts";
import type { Unprobed } from "./unprobed.ts";

/** A part of a class that V8 makes a function: the fields of its instances, or all that is static. */
export interface Initialiser {
  readonly first: ClassNode["body"]["body"][number];
  readonly isStatic: boolean;
}

/** The initialisers that a class has. */
export function initialisersOf({ body }: ClassNode): Initialiser[] {
  return [false, true].flatMap((isStatic) => {
    const first = body.body.find((element) =>
      element.type === "StaticBlock"
        ? isStatic
        : element.type === "PropertyDefinition" && element.static === isStatic
    );
    return first ? [{ first, isStatic }] : [];
  });
}

/** Puts the probes of functions' first blocks after the evaluation of parameters. */
export class FunctionProbes {
  readonly #edits: Edits;
  readonly #tokenAfter: (offset: number) => number;
  readonly #statement: HitStatement;

  constructor(edits: Edits, { tokenAfter, statement }: ProbesOptions) {
    this.#edits = edits;
    this.#tokenAfter = tokenAfter;
    this.#statement = statement;
  }

  /** @returns undefined when the top level has its probe now. A source without statements gets a line more. */
  addProgram(block: number, { body, end }: Program): Unprobed | undefined {
    if (end === 0) return "never counted";
    if (body.length > 0) this.#addBody(block, body, body[0].start);
    else this.#edits.follow({ start: end, end }, (pc) => `\n${PROBE_NAMES.hit}(${pc(block)});`);
    return;
  }

  addFunction(block: number, { body }: FunctionNode): void {
    if (body.type === "BlockStatement") this.#addBody(block, body.body, body.start + 1);
    else this.#edits.wrap(body, hitBefore(block));
  }

  /** @returns undefined when the block has its probe now. */
  addInitialiser(block: number, { first, isStatic }: Initialiser): Unprobed | undefined {
    if (isStatic) {
      this.#edits.open(first.start, (pc) => `static{${PROBE_NAMES.hit}(${pc(block)})}`);
      return;
    }
    return this.#addField(block, first as PropertyDefinition);
  }

  /** Puts the probe of a list of statements, which begins at an offset, after its directives. */
  #addBody(
    block: number,
    statements: readonly (Statement | ModuleDeclaration)[],
    start: number,
  ): void {
    const last = statements.findLast((statement) =>
      statement.type === "ExpressionStatement" && statement.directive !== undefined
    );
    if (last) this.#edits.follow(last, this.#statement(block, last.end));
    else this.#edits.open(start, this.#statement(block, start));
  }

  /**
   * Puts the probe into a field of the source. A field of its own would be seen: an object can get any field
   * twice but a private one.
   */
  #addField(
    block: number,
    { start, key, value, computed }: PropertyDefinition,
  ): Unprobed | undefined {
    if (!value) {
      const end = computed ? this.#tokenAfter(key.end) + 1 : key.end;
      this.#edits.follow({ start, end }, (pc) => `=void ${PROBE_NAMES.hit}(${pc(block)});`);
      return;
    }
    if (!takesName(value)) {
      this.#edits.wrap(value, hitBefore(block));
      return;
    }
    if (computed) return "computed name";
    const name = JSON.stringify(nameOf(key));
    this.#edits.wrap(value, [
      (pc) => `(${PROBE_NAMES.hit}(${pc(block)}),{[${name}]:`,
      `}[${name}])`,
    ]);
    return;
  }
}

/** Whether a value gets the name of the variable or property that it is assigned to. */
function takesName(value: Expression): boolean {
  switch (value.type) {
    case "ParenthesizedExpression":
      return takesName(value.expression);
    case "ArrowFunctionExpression":
      return true;
    case "ClassExpression":
    case "FunctionExpression":
      return !value.id;
    default:
      return false;
  }
}

/** The name that a function gets as a property's value. */
function nameOf(key: AnyNode): string {
  switch (key.type) {
    case "Identifier":
      return key.name;
    case "PrivateIdentifier":
      return `#${key.name}`;
    default:
      return String((key as { value?: unknown }).value);
  }
}
