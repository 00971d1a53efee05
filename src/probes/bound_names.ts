import type { AnyNode } from "acorn";

/**
 * The names that a source binds, in whatever scope. Other names may be properties of the global object, behind
 * which a getter may stand.
 */
export class BoundNames {
  readonly #names = new Set<string>();

  has(name: string): boolean {
    return this.#names.has(name);
  }

  /** Adds the names that a node binds itself, not those of its children. */
  addFrom(node: AnyNode): void {
    switch (node.type) {
      case "ArrowFunctionExpression":
      case "FunctionExpression":
      case "FunctionDeclaration":
        this.#add(node.id);
        for (const parameter of node.params) this.#add(parameter);
        return;
      case "ClassDeclaration":
      case "ClassExpression":
        this.#add(node.id);
        return;
      case "CatchClause":
        this.#add(node.param);
        return;
      case "VariableDeclarator":
        this.#add(node.id);
        return;
      case "ImportDeclaration":
        for (const { local } of node.specifiers) this.#add(local);
    }
  }

  #add(pattern: AnyNode | null | undefined): void {
    switch (pattern?.type) {
      case "Identifier":
        this.#names.add(pattern.name);
        return;
      case "ObjectPattern":
        for (const property of pattern.properties) {
          this.#add(property.type === "Property" ? property.value : property.argument);
        }
        return;
      case "ArrayPattern":
        for (const element of pattern.elements) this.#add(element);
        return;
      case "AssignmentPattern":
        this.#add(pattern.left);
        return;
      case "RestElement":
        this.#add(pattern.argument);
    }
  }
}
