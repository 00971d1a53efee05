/** Names in the HTML report, which Istanbul does not escape everywhere. */
import * as path from "node:path";

/** The parts of a node of Istanbul's tree that its pages are made from. */
export interface ReportNode {
  getParent(): ReportNode | null;
  getRelativeName(): string;
  getQualifiedName(): string;
  isSummary(): boolean;
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character]);
}

/** The places of pages, and links to them: a name is not part of a URL, whatever characters it has. */
export const LINKS = {
  getPath(node: ReportNode | string): string {
    if (typeof node === "string") return node;
    const name = node.getQualifiedName();
    if (node.isSummary()) return name === "" ? "index.html" : `${name}/index.html`;
    // The name `index` is taken by the folder's page.
    return /(?:^|\/)index$/i.test(name) ? `${name}-.html` : `${name}.html`;
  },

  relativePath(source: ReportNode | string, target: ReportNode | string): string {
    const from = path.posix.dirname(LINKS.getPath(source));
    const link = path.posix.relative(`/${from}`, `/${LINKS.getPath(target)}`);
    return link.split("/").map(encodeURIComponent).join("/");
  },

  assetPath(node: ReportNode, name: string): string {
    return LINKS.relativePath(LINKS.getPath(node), name);
  },
};

/** The path to a page, as links, in its heading. */
export function breadcrumbs(node: ReportNode): string {
  const links: string[] = [];
  for (let parent = node.getParent(); parent; parent = parent.getParent()) {
    const target = escapeHtml(LINKS.relativePath(node, parent));
    links.unshift(`<a href="${target}">${escapeHtml(parent.getRelativeName() || "All files")}</a>`);
  }
  if (links.length === 0) return "All files";
  return `${links.join(" / ")} ${escapeHtml(node.getRelativeName())}`;
}

/** Removes two characters that Istanbul takes for its own marks of `<` and `>` in a source. */
export function withoutMarks(source: string): string {
  // deno-lint-ignore no-control-regex
  return source.replace(/[\x01\x02]/g, "\ufffd");
}
