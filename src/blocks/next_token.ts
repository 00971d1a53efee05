/** Finds the token after a node: V8 begins several ranges at one, and the syntax tree has no tokens. */

const TAB = 0x09;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const SPACE = 0x20;
const ASTERISK = 0x2a;
const HYPHEN = 0x2d;
const SLASH = 0x2f;
const LINE_SEPARATOR = 0x2028;
const PARAGRAPH_SEPARATOR = 0x2029;
const WIDE_SPACE = /[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000\ufeff]/;

export interface NextTokenOptions {
  /** Modules have no HTML-like comments. */
  readonly isModule: boolean;
}

/** Offset of the first token at or after `offset`, which must lie between tokens; the length if none. */
export function nextToken(source: string, offset: number, options: NextTokenOptions): number {
  let at = offset;
  let lineStart = false;
  while (at < source.length) {
    const code = source.charCodeAt(at);
    if (isLineEnd(code)) {
      lineStart = true;
      at++;
    } else if (isSpace(code)) {
      at++;
    } else if (code === SLASH && source.charCodeAt(at + 1) === ASTERISK) {
      const end = commentEnd(source, at);
      lineStart ||= hasLineEnd(source, at, end);
      at = end;
    } else if (isLineComment(source, at, lineStart, options)) {
      at = lineEnd(source, at);
    } else {
      return at;
    }
  }
  return at;
}

function isLineComment(
  source: string,
  at: number,
  lineStart: boolean,
  { isModule }: NextTokenOptions,
): boolean {
  const code = source.charCodeAt(at);
  if (code === SLASH) return source.charCodeAt(at + 1) === SLASH;
  if (isModule) return false;
  if (code === HYPHEN) return lineStart && source.startsWith("-->", at);
  return source.startsWith("<!--", at);
}

function isLineEnd(code: number): boolean {
  return code === LINE_FEED || code === CARRIAGE_RETURN || code === LINE_SEPARATOR ||
    code === PARAGRAPH_SEPARATOR;
}

function isSpace(code: number): boolean {
  if (code < 0x80) return code === SPACE || (code >= TAB && code < CARRIAGE_RETURN);
  return WIDE_SPACE.test(String.fromCharCode(code));
}

function commentEnd(source: string, start: number): number {
  const end = source.indexOf("*/", start + 2);
  return end === -1 ? source.length : end + 2;
}

function lineEnd(source: string, start: number): number {
  let at = start;
  while (at < source.length && !isLineEnd(source.charCodeAt(at))) at++;
  return at;
}

function hasLineEnd(source: string, start: number, end: number): boolean {
  return lineEnd(source, start) < end;
}
