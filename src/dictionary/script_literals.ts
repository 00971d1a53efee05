/** The parts of a script that an input might have, too: texts, keys, patterns and numbers. */
import type {
  AnyNode,
  BinaryExpression,
  CallExpression,
  Literal,
  LogicalExpression,
  NewExpression,
} from "acorn";
import { parseSource } from "../blocks/parse_source.ts";
import { type Found, foundBytes, foundText, NEARNESS, type Nearness } from "./entry.ts";
import { patternSamples } from "./pattern_samples.ts";

const COMPARING = new Set(["==", "!=", "===", "!==", "<", "<=", ">", ">=", "in"]);
/** Methods whose argument, or whose object, decides by what a text has. */
const SEARCHING = new Set([
  ...["startsWith", "endsWith", "includes", "indexOf", "lastIndexOf", "search", "split", "has"],
  ...["match", "matchAll", "test", "exec", "replace", "replaceAll", "compare", "equals"],
]);
const SENTENCE = /\w ['"]?\w+['"]? \w/;
/** Smaller numbers are found by chance. */
const LEAST_MAGIC = 0x100;
/** A decimal one below this is a size or a limit, unless it is compared. */
const LEAST_DECIMAL = 0x1000000;
/** Elements of a list of bytes, at least: fewer are coordinates. */
const LEAST_BYTES = 3;

/**
 * Finds all, as often as it is there.
 *
 * @throws {SyntaxError} when the source cannot be parsed.
 */
export function scriptLiterals(source: string): Found[] {
  return new LiteralWalk().run(parseSource(source, {}) as AnyNode);
}

/** One walk, without recursion; each node is visited with the nearness that its parent gives it. */
class LiteralWalk {
  readonly #found: Found[] = [];
  readonly #nodes: [node: AnyNode, nearness: Nearness][] = [];
  /** Chains that are part of a longer one. */
  readonly #joined = new Set<AnyNode>();

  run(root: AnyNode): Found[] {
    this.#go(root, NEARNESS.other);
    for (let next = this.#nodes.pop(); next; next = this.#nodes.pop()) this.#visit(...next);
    return this.#found;
  }

  #go(node: AnyNode | null | undefined, nearness: Nearness): void {
    if (node) this.#nodes.push([node, nearness]);
  }

  #add(found: Found | undefined): void {
    if (found) this.#found.push(found);
  }

  #visit(node: AnyNode, nearness: Nearness): void {
    switch (node.type) {
      case "Literal":
        return this.#addLiteral(node, nearness);
      case "TemplateElement":
        return this.#addText(node.value.cooked ?? "", nearness);
      case "BinaryExpression":
        return this.#compare(node, nearness);
      case "LogicalExpression":
        if (node.operator === "&&" && !this.#joined.has(node)) this.#join(node);
        return this.#goOn(node, nearness);
      case "SwitchCase":
        this.#go(node.test, NEARNESS.compared);
        return node.consequent.forEach((statement) => this.#go(statement, NEARNESS.other));
      case "CallExpression":
      case "NewExpression":
        return this.#call(node, nearness);
      case "Property":
        return this.#property(node, nearness);
      case "MethodDefinition":
      case "PropertyDefinition":
        if (node.computed) this.#go(node.key, nearness);
        return this.#go(node.value, NEARNESS.other);
      case "ArrayExpression":
        this.#addBytes(node.elements, nearness);
        return node.elements.forEach((element) => this.#go(element, nearer(nearness)));
      case "ThrowStatement":
        return this.#go(node.argument, NEARNESS.told);
      case "ImportDeclaration":
      case "ExportAllDeclaration":
      case "ImportExpression":
        return;
      case "ExpressionStatement":
        if (!node.directive) this.#go(node.expression, NEARNESS.other);
        return;
      default:
        return this.#goOn(node, nearness);
    }
  }

  /** To all children: what runs by itself is as near as anything. */
  #goOn(node: AnyNode, nearness: Nearness): void {
    const isFunction = /Function|^Class/.test(node.type);
    for (const child of Object.values(node)) {
      for (const one of Array.isArray(child) ? child : [child]) {
        if (isNode(one)) this.#go(one, isFunction ? NEARNESS.other : nearness);
      }
    }
  }

  #addLiteral(node: Literal, nearness: Nearness): void {
    if (node.regex) {
      this.#addPattern(node.regex.pattern, nearer(nearness));
    } else if (typeof node.value === "string") {
      this.#addText(node.value, nearness);
    } else if (typeof node.value === "number" || typeof node.value === "bigint") {
      for (const bytes of magics(node, nearness)) {
        const isLong = bytes.length > 2;
        this.#add(foundBytes(bytes, isLong ? nearer(nearness) : nearness));
      }
    }
  }

  #addPattern(pattern: string, nearness: Nearness): void {
    for (const text of patternSamples(pattern)) this.#add(foundText(text, nearness));
  }

  /** A sentence is for people, unless something is compared with it. */
  #addText(text: string, nearness: Nearness): void {
    const isSentence = nearness === NEARNESS.other && SENTENCE.test(text);
    this.#add(foundText(text, isSentence ? NEARNESS.told : nearness));
  }

  #compare({ operator, left, right }: BinaryExpression, nearness: Nearness): void {
    const isOfType = isTypeof(left as AnyNode) || isTypeof(right);
    const near = isOfType ? NEARNESS.told : COMPARING.has(operator) ? NEARNESS.compared : nearness;
    this.#go(left as AnyNode, near);
    this.#go(right, near);
  }

  #call(node: CallExpression | NewExpression, nearness: Nearness): void {
    const { callee } = node;
    const name = callee.type === "Identifier" ? callee.name : methodName(callee);
    if (name === "require") return;
    const isTold = node.type === "NewExpression" && /(?:Error|Exception)$/.test(name ?? "") ||
      isConsole(callee);
    const isSearching = SEARCHING.has(name ?? "") && callee.type === "MemberExpression";
    const isTable = name === "Set" || name === "Map" || name === "RegExp";
    const near = isSearching
      ? NEARNESS.compared
      : isTold
      ? NEARNESS.told
      : isTable
      ? nearer(nearness)
      : nearness;
    const [first, ...rest] = node.arguments;
    if (name === "RegExp" && first?.type === "Literal" && typeof first.value === "string") {
      this.#addPattern(first.value, near);
    } else this.#go(first, near);
    for (const argument of rest) this.#go(argument, isTold ? near : NEARNESS.other);
    this.#go(callee, isSearching ? NEARNESS.compared : nearness);
  }

  #property(
    { key, value, computed }: Extract<AnyNode, { type: "Property" }>,
    nearness: Nearness,
  ): void {
    if (key.type === "Identifier" && !computed) this.#add(foundText(key.name, nearness));
    else this.#go(key, nearer(nearness));
    this.#go(value, nearness);
  }

  /** A list of numbers that bytes hold is a text. */
  #addBytes(elements: readonly (AnyNode | null)[], nearness: Nearness): void {
    const bytes = elements.map((element) => element && byteOf(element, { isText: false }));
    if (bytes.length < LEAST_BYTES || bytes.some((byte) => byte === undefined || byte === null)) {
      return;
    }
    this.#add(foundBytes(Uint8Array.from(bytes as number[]), nearer(nearness)));
  }

  /** `a === "D" && b === "O" && ...` asks for a word. */
  #join(node: LogicalExpression): void {
    const bytes: number[] = [];
    const end = () => {
      this.#add(foundBytes(Uint8Array.from(bytes), NEARNESS.compared));
      bytes.length = 0;
    };
    for (const part of this.#conjunction(node)) {
      const byte = comparedByte(part);
      if (byte === undefined) end();
      else bytes.push(byte);
    }
    end();
  }

  /** The parts of a chain of `&&`, from the left. */
  #conjunction(node: LogicalExpression): AnyNode[] {
    const parts: AnyNode[] = [];
    const waiting: AnyNode[] = [node];
    for (let next = waiting.pop(); next; next = waiting.pop()) {
      if (next.type === "LogicalExpression" && next.operator === "&&") {
        this.#joined.add(next);
        waiting.push(next.right, next.left);
      } else if (next.type === "ParenthesizedExpression") waiting.push(next.expression);
      else parts.push(next);
    }
    return parts;
  }
}

function isNode(value: unknown): value is AnyNode {
  return typeof value === "object" && value !== null && typeof (value as AnyNode).type === "string";
}

function isTypeof(node: AnyNode): boolean {
  return node.type === "UnaryExpression" && node.operator === "typeof";
}

/** Of a table rather than by itself; what is told stays that. */
function nearer(nearness: Nearness): Nearness {
  return nearness === NEARNESS.other ? NEARNESS.table : nearness;
}

function methodName(callee: AnyNode): string | undefined {
  if (callee.type !== "MemberExpression" || callee.property.type !== "Identifier") return undefined;
  return callee.property.name;
}

function isConsole(callee: AnyNode): boolean {
  return callee.type === "MemberExpression" && callee.object.type === "Identifier" &&
    callee.object.name === "console";
}

function comparedByte(node: AnyNode): number | undefined {
  if (node.type !== "BinaryExpression" || !/^===?$/.test(node.operator)) return undefined;
  return byteOf(node.right, { isText: true }) ?? byteOf(node.left as AnyNode, { isText: true });
}

/** A literal's byte: of a number, or of a text of one character of ASCII. */
function byteOf(node: AnyNode, { isText }: { isText: boolean }): number | undefined {
  if (node.type !== "Literal") return undefined;
  const { value } = node;
  const isCharacter = isText && typeof value === "string" && value.length === 1;
  const byte = isCharacter ? value.charCodeAt(0) : value;
  if (typeof byte !== "number" || !Number.isInteger(byte)) return undefined;
  return byte >= 0 && byte < (isCharacter ? 0x80 : 0x100) ? byte : undefined;
}

/** A number in both byte orders of its width, if it looks like one that marks something. */
function magics({ value, raw = "" }: Literal, nearness: Nearness): Uint8Array[] {
  const isHex = /^0x/i.test(raw);
  const least = isHex || nearness === NEARNESS.compared ? LEAST_MAGIC : LEAST_DECIMAL;
  if (typeof value === "number" && !Number.isSafeInteger(value)) return [];
  const number = BigInt(value as number | bigint);
  if (number < least || number >= 1n << 64n) return [];
  const width = number < 1n << 16n ? 2 : number < 1n << 32n ? 4 : 8;
  const big = new Uint8Array(8);
  new DataView(big.buffer).setBigUint64(0, number);
  const bytes = big.subarray(8 - width);
  return [bytes, bytes.toReversed()];
}
