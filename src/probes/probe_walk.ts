import type {
  AnonymousClassDeclaration,
  AnyNode,
  ClassDeclaration,
  ClassExpression,
  ExpressionStatement,
  Function as FunctionNode,
  Program,
  TryStatement,
} from "acorn";
import { RangeWalk, type Visitors } from "../blocks/range_walk.ts";
import { BoundNames } from "./bound_names.ts";
import { type Comparing, isComparing } from "./comparison_probes.ts";
import { type EvalCall, isEvalCall } from "./eval_probes.ts";

/** The node that a block begins at, and on which account. */
export interface Place {
  /** The node that V8 records the block for. */
  readonly node: AnyNode;
  /** Whether only the start of the block is recorded: it follows something. */
  readonly isContinuation: boolean;
  /** The whole statement, if the node is the body of a handler before `finally`. */
  readonly handled?: TryStatement | undefined;
}

/** A class, declared or not. */
export type ClassNode = ClassDeclaration | AnonymousClassDeclaration | ClassExpression;

/**
 * A walk that remembers the node of each slot, by the rules of `SlotMap`: a range wins over a continuation,
 * and the outermost continuation over those within.
 */
export class ProbeWalk extends RangeWalk {
  /** By start. */
  readonly places = new Map<number, Place>();
  readonly functionNodes: FunctionNode[] = [];
  readonly classNodes: ClassNode[] = [];
  readonly comparing: Comparing[] = [];
  readonly evalCalls: EvalCall[] = [];
  readonly bound = new BoundNames();
  /** By start. */
  readonly expressionStatements = new Map<number, ExpressionStatement>();
  readonly #objectScopes: AnyNode[] = [];
  readonly #handled = new Map<AnyNode, TryStatement>();
  /** The node that is being visited. */
  #node: AnyNode;

  /** @param program The source, parsed. */
  constructor(source: string, program: Program) {
    super(source, program.sourceType === "module");
    this.#node = program;
  }

  override run(root: AnyNode, visitors: Visitors): void {
    const table = visitors as Record<string, (walk: RangeWalk, node: AnyNode) => void>;
    const remembering = new Proxy(table, {
      get: (target, type: string) => (walk: RangeWalk, node: AnyNode) => {
        this.#node = node;
        this.#remember(node);
        this.bound.addFrom(node);
        if (isComparing(node)) this.comparing.push(node);
        if (isEvalCall(node)) this.evalCalls.push(node);
        target[type](walk, node);
      },
    });
    super.run(root, remembering as unknown as Visitors);
  }

  /** Whether names at an offset are first looked up in an object: it is in the body of a `with`. */
  isInObjectScope(offset: number): boolean {
    return this.#objectScopes.some(({ start, end }) => start <= offset && offset < end);
  }

  /** Methods are not visited themselves; the nodes whose values they are are visited. */
  #remember(node: AnyNode): void {
    switch (node.type) {
      case "ArrowFunctionExpression":
      case "FunctionDeclaration":
      case "FunctionExpression":
        this.functionNodes.push(node);
        return;
      case "ExpressionStatement":
        this.expressionStatements.set(node.start, node);
        return;
      case "Property":
        if (node.value.type === "FunctionExpression" && (node.method || node.kind !== "init")) {
          this.#method(node.value);
        }
        return;
      case "TryStatement":
        if (node.handler && node.finalizer) this.#handled.set(node.handler.body, node);
        return;
      case "WithStatement":
        this.#objectScopes.push(node.body);
        return;
      case "ClassDeclaration":
      case "ClassExpression":
        this.classNodes.push(node);
        for (const element of node.body.body) {
          if (element.type === "MethodDefinition") this.#method(element.value);
        }
    }
  }

  #method(node: FunctionNode): void {
    this.functionNodes.push(node);
    this.bound.addFrom(node as AnyNode);
  }

  override addRange(start: number, end: number): void {
    super.addRange(start, end);
    this.places.set(start, { node: this.#node, isContinuation: false });
  }

  override addContinuation(start: number): void {
    super.addContinuation(start);
    if (this.places.has(start)) return;
    const node = this.#node;
    this.places.set(start, { node, isContinuation: true, handled: this.#handled.get(node) });
  }
}
