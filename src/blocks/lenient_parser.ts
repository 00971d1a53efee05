/** acorn without its early errors and without its recursion on operators: for sources that V8 has accepted. */

import { type Node, type Options, Parser, type Program, type TokenType, tokTypes } from "acorn";
import { nextToken } from "./next_token.ts";

type ForInit = boolean | string | undefined;
type OperatorToken = TokenType & { readonly binop: number | null };

/** The members of acorn's parser that are used below; its typings leave them out. */
interface Internals {
  readonly input: string;
  readonly pos: number;
  readonly inModule: boolean;
  readonly start: number;
  readonly startLoc: unknown;
  readonly end: number;
  readonly lastTokEnd: number;
  readonly value: unknown;
  type: OperatorToken;
  next(): void;
  raise(position: number, message: string): void;
  isContextual(name: string): boolean;
  parseMaybeUnary(errors: null, sawUnary: false, incDec: false, forInit: ForInit): Node;
  parseImportDefaultSpecifier(): Node;
  parseWithClause(): Node[];
  buildBinary(
    start: number,
    location: unknown,
    left: Node,
    right: Node,
    operator: unknown,
    logical: boolean,
  ): Node;
}

interface InternalsConstructor {
  new (options: Options, input: string): Internals;
  parse(input: string, options: Options): Program;
}

const Base = Parser as unknown as InternalsConstructor;

/**
 * It differs from acorn's own parser (acorn 8.19, `parser.js`, `expression.js`, `scope.js`) in these points:
 *
 * - It raises no early errors, does not look for redeclarations (quadratic in acorn) and does not check the
 *   bodies of regular expressions (they differ with the version of Unicode).
 * - `a + b + c + ...` takes one frame, not one for each operand, as in V8.
 * - A `RangeError` of the stack is thrown as it is. acorn would run a regular expression to recognise
 *   it, and compiling one at the very end of the stack makes V8 abort the process.
 * - A line end may stand in a quoted string: see `parseSource`.
 * - `super` and `new.target` may stand anywhere, as in a direct `eval`.
 * - `import source x from` (V8 13) and `import ... assert {}` (V8 11) are read.
 */
export class LenientParser extends Base {
  get allowDirectSuper(): boolean {
    return true;
  }

  get allowNewDotTarget(): boolean {
    return true;
  }

  override raise(position: number, message: string): void {
    const isMended = message.startsWith("Unterminated string") && this.input[this.pos] === "\n";
    if (!isMended) super.raise(position, message);
  }

  raiseRecoverable(): void {}

  declareName(): void {}

  checkLocalExport(): void {}

  validateRegExpFlags(): void {}

  validateRegExpPattern(): void {}

  catchStackOverflow<T>(parse: () => T): T {
    return parse();
  }

  parseExprOp(
    first: Node,
    start: number,
    location: unknown,
    leastPrecedence: number,
    forInit: ForInit,
  ): Node {
    const { logicalAND, logicalOR, coalesce } = tokTypes as unknown as Record<
      string,
      OperatorToken
    >;
    let left = first;
    while (true) {
      const { type, value: operator } = this;
      if (type.binop === null || (forInit && type === tokTypes._in)) return left;
      if (type.binop <= leastPrecedence) return left;
      const precedence = type === coalesce ? logicalAND.binop! : type.binop;
      this.next();
      const { start: rightStart, startLoc } = this;
      const operand = this.parseMaybeUnary(null, false, false, forInit);
      const right = this.parseExprOp(operand, rightStart, startLoc, precedence, forInit);
      const logical = type === logicalAND || type === logicalOR || type === coalesce;
      left = this.buildBinary(start, location, left, right, operator, logical);
    }
  }

  override parseImportDefaultSpecifier(): Node {
    const phase = this.isContextual("source");
    const specifier = super.parseImportDefaultSpecifier();
    if (!phase || this.type !== tokTypes.name) return specifier;
    if (this.isContextual("from") && this.#stringFollows()) return specifier;
    return super.parseImportDefaultSpecifier();
  }

  override parseWithClause(): Node[] {
    if (
      this.isContextual("assert") && !/[\n\r]/.test(this.input.slice(this.lastTokEnd, this.start))
    ) {
      this.type = tokTypes._with as OperatorToken;
    }
    return super.parseWithClause();
  }

  #stringFollows(): boolean {
    const next = nextToken(this.input, this.end, { isModule: this.inModule });
    return this.input[next] === '"' || this.input[next] === "'";
  }
}
