/** A target as `Target.attachedToTarget` describes it. */
interface Described {
  readonly type: string;
  readonly title: string;
  readonly url: string;
}

/** The URLs of the browser's own pages and scripts, and of those of its extensions. */
const INTERNAL = /^(?:chrome|chrome-\w+|devtools|edge|brave|view-source):/;

export function isInternal(url: string): boolean {
  return INTERNAL.test(url);
}

/** The name of a target that the user has not named: host and path, in a form that `ps` can show. */
export function targetName({ type, title, url }: Described): string {
  if (!URL.canParse(url)) return type;
  const { protocol, host, pathname } = new URL(url);
  if (protocol === "about:" || protocol === "data:" || protocol === "blob:") {
    return url !== title && title !== "" && !title.startsWith(protocol) ? title : type;
  }
  return decode(`${host}${pathname}`.replace(/^\/|\/$/g, "")) || type;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
