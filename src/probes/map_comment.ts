/** The last line of a script that has its source map in it. */
export function mapComment(map: string): string {
  const data = Buffer.from(map).toString("base64");
  return `\n//# sourceMappingURL=data:application/json;base64,${data}\n`;
}
