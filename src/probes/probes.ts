import type { AnyNode, CallExpression, SwitchCase } from "acorn";
import { type Edits, type Text, written } from "./edits.ts";
import { PROBE_NAMES } from "./probe_names.ts";
import { around, hitBefore, type HitStatement } from "./probe_text.ts";
import type { Place } from "./probe_walk.ts";
import type { Unprobed } from "./unprobed.ts";

export interface ProbesOptions {
  /** Returns the offset of the first token at or after another. */
  readonly tokenAfter: (offset: number) => number;
  readonly statement: HitStatement;
}

/** Puts the probes of one source where its blocks begin, except for functions' first blocks. */
export class Probes {
  readonly #edits: Edits;
  readonly #tokenAfter: (offset: number) => number;
  readonly #statement: HitStatement;

  constructor(edits: Edits, { tokenAfter, statement }: ProbesOptions) {
    this.#edits = edits;
    this.#tokenAfter = tokenAfter;
    this.#statement = statement;
  }

  /** @returns undefined when the block has its probe now. */
  add(block: number, place: Place, start: number): Unprobed | undefined {
    if (place.isContinuation) return this.#follow(block, place);
    return this.#enter(block, place.node, start);
  }

  #enter(block: number, node: AnyNode, start: number): Unprobed | undefined {
    switch (node.type) {
      case "IfStatement": {
        const body = start === node.consequent.start ? node.consequent : node.alternate!;
        // V8 has a counter for `else ;` that it never counts up (`VisitIfStatement` in its
        // `interpreter/bytecode-generator.cc`).
        if (body === node.alternate && body.type === "EmptyStatement") return "never counted";
        this.#brace(block, body);
        return;
      }
      case "DoWhileStatement":
      case "ForInStatement":
      case "ForOfStatement":
      case "ForStatement":
      case "WhileStatement":
        this.#brace(block, node.body);
        return;
      case "SwitchCase":
        this.#open(block, this.#colon(node) + 1);
        return;
      case "CatchClause":
        this.#open(block, node.body.start + 1);
        return;
      case "TryStatement":
        this.#open(block, node.finalizer!.start + 1);
        return;
    }
    return this.#enterOperand(block, node, start);
  }

  #enterOperand(block: number, node: AnyNode, start: number): Unprobed | undefined {
    switch (node.type) {
      case "ConditionalExpression": {
        const isFirst = start < node.consequent.start;
        this.#edits.wrap(isFirst ? node.consequent : node.alternate, hitBefore(block));
        return;
      }
      case "LogicalExpression":
        this.#edits.wrap(node.right, hitBefore(block));
        return;
      case "MemberExpression":
        this.#edits.wrap(node.object, around("some", block));
        return;
      case "CallExpression":
        this.#call(block, node, start);
        return;
    }
    return "no place";
  }

  /** A method call stays one: its probe goes to the arguments. */
  #call(block: number, node: CallExpression, start: number): void {
    if (!isMethod(node.callee)) {
      this.#edits.wrap(node.callee, around("some", block));
      return;
    }
    const [first] = node.arguments;
    if (first) {
      this.#edits.wrap(first.type === "SpreadElement" ? first.argument : first, hitBefore(block));
    } else {
      const open = this.#tokenAfter(start + "?.".length);
      this.#edits.open(open + 1, (pc) => `...${PROBE_NAMES.none}(${pc(block)})`);
    }
  }

  #follow(block: number, { node, handled }: Place): Unprobed | undefined {
    switch (node.type) {
      case "BreakStatement":
      case "ContinueStatement":
      case "ReturnStatement":
      case "ThrowStatement":
        return "never reached";
      case "AwaitExpression":
      case "YieldExpression":
        this.#edits.wrap(node, around("pass", block));
        return;
      case "StaticBlock":
        this.#edits.follow(node, (pc) => `static{${PROBE_NAMES.hit}(${pc(block)})}`);
        return;
    }
    // The block after a handler before `finally` is within the `try` that has the `finally`.
    const tried = handled && { start: handled.start, end: node.end };
    if (tried) {
      this.#edits.wrap(tried, ["try{", closed(this.#statement(block, node.end))]);
    } else {
      this.#edits.follow(node, this.#statement(block, node.end));
    }
    return;
  }

  /** Puts the probe at the start of a body, which gets braces if it has none. */
  #brace(block: number, body: AnyNode): void {
    if (body.type === "BlockStatement") this.#open(block, body.start + 1);
    else this.#edits.wrap(body, [opened(this.#statement(block, body.start)), "}"]);
  }

  #open(block: number, at: number): void {
    this.#edits.open(at, this.#statement(block, at));
  }

  #colon(node: SwitchCase): number {
    return this.#tokenAfter(node.test ? node.test.end : node.start + "default".length);
  }
}

function opened(statement: Text): Text {
  return (pc) => `{${written(statement, pc).replace(/^;/, "")}`;
}

function closed(statement: Text): Text {
  return (pc) => `${written(statement, pc)}}`;
}

/** Whether a callee gets a `this`. */
function isMethod(callee: AnyNode): boolean {
  if (callee.type === "ParenthesizedExpression" || callee.type === "ChainExpression") {
    return isMethod(callee.expression);
  }
  return callee.type === "MemberExpression";
}
