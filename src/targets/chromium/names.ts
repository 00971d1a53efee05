/** A target as `Target.attachedToTarget` tells of it. */
interface Described {
  readonly type: string;
  readonly title: string;
  readonly url: string;
}

/** Pages and scripts of the browser's own and of its extensions. */
const INTERNAL = /^(?:chrome|chrome-\w+|devtools|edge|brave|view-source):/;

export function isInternal(url: string): boolean {
  return INTERNAL.test(url);
}

/** What a target is called where the user has no name for it: host and path, as `ps` can show them. */
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
