import * as fs from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";
import { isOutOfFiles, StateError, stateError } from "./state_error.ts";

/** A source map cannot be followed. The message says why, in words for the user. */
export class MapError extends Error {
  override name = "MapError";
}

/** A map's text, and the base URL of its sources' names. */
export interface MapText {
  readonly text: string;
  /** A URL; undefined where the script's name is no URL and the map is within the script. */
  readonly base: string | undefined;
}

/** Bytes of the largest file that is read. */
const MOST_BYTES = 128 * 1024 * 1024;

/**
 * Reads a script's map: a `data:` URL, or a file. Nothing is ever fetched from the network.
 *
 * @param mapUrl As the script names it: relative to the script.
 * @param scriptUrl A URL, an absolute path, or any name.
 * @throws {MapError} when it cannot be read.
 * @throws {StateError} when this process can open no file now.
 */
export function readMapText(mapUrl: string, scriptUrl: string): MapText {
  const base = baseUrl(scriptUrl);
  if (/^data:/i.test(mapUrl)) return { text: readDataUrl(mapUrl), base };
  const url = resolve(mapUrl, base);
  if (url.protocol !== "file:") throw new MapError(`${short(url.href)} is not fetched`);
  return { text: readFileUrl(url), base: url.href };
}

/** The URL that names in a script are relative to, if there is one. */
export function baseUrl(scriptUrl: string): string | undefined {
  if (scriptUrl.startsWith("/")) return pathToFileURL(scriptUrl).href;
  return URL.canParse(scriptUrl) ? scriptUrl : undefined;
}

function resolve(mapUrl: string, base: string | undefined): URL {
  try {
    return new URL(mapUrl, base);
  } catch {
    throw new MapError(`${short(mapUrl)} is relative to a script that is in no file`);
  }
}

/** `data:[type][;base64],TEXT` */
function readDataUrl(url: string): string {
  const comma = url.indexOf(",");
  if (comma < 0) throw new MapError("its data URL has no comma");
  const data = url.slice(comma + 1);
  if (/;\s*base64\s*$/i.test(url.slice(0, comma))) {
    const text = /%/.test(data) ? decodePercents(data) : data;
    return Buffer.from(text, "base64").toString("utf8");
  }
  return decodePercents(data);
}

function decodePercents(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new MapError("its data URL is not encoded as one");
  }
}

/** `O_PATH`, which Node has no name for: it finds the file without its driver opening it. */
const O_PATH = 0o10000000;

/**
 * Reads a regular file. Any other file, or one without a length (as in `/proc`), might never end, and to open
 * it may have an effect: a watchdog's device, a terminal's line, an instance of `kcov`. So it is looked at
 * before it is opened.
 *
 * @throws {MapError}
 * @throws {StateError} when this process can open no file now.
 */
export function readFileUrl(url: URL): string {
  const path = filePath(url);
  return withFile(path, { name: path, flags: O_PATH }, (found) => {
    const { size } = checkFile(found, path);
    // This opens the file that was looked at, even if its name leads to another by now.
    const opened = { name: `/proc/self/fd/${found}`, flags: fs.constants.O_RDONLY };
    return withFile(path, opened, (fd) => readText(fd, size));
  });
}

/** @param path The file's name in errors. */
function withFile<T>(
  path: string,
  { name, flags }: { name: string; flags: number },
  use: (fd: number) => T,
): T {
  let fd: number;
  try {
    fd = fs.openSync(name, flags);
  } catch (error) {
    if (isOutOfFiles(error)) throw stateError(error);
    throw new MapError(`cannot open ${path}: ${(error as NodeJS.ErrnoException).code}`);
  }
  try {
    return use(fd);
  } catch (error) {
    if (error instanceof MapError || error instanceof StateError) throw error;
    throw new MapError(`cannot read ${path}: ${(error as NodeJS.ErrnoException).code}`);
  } finally {
    fs.closeSync(fd);
  }
}

function checkFile(fd: number, path: string): fs.Stats {
  const stat = fs.fstatSync(fd);
  if (!stat.isFile()) throw new MapError(`${path} is no regular file`);
  if (stat.size === 0) throw new MapError(`${path} is empty`);
  if (stat.size > MOST_BYTES) {
    throw new MapError(`${path} is larger than ${MOST_BYTES / 1024 / 1024} MB`);
  }
  return stat;
}

function filePath(url: URL): string {
  try {
    return fileURLToPath(url);
  } catch {
    throw new MapError(`${short(url.href)} is no file of this machine`);
  }
}

function readText(fd: number, size: number): string {
  const bytes = Buffer.alloc(size);
  let done = 0;
  while (done < size) {
    const read = fs.readSync(fd, bytes, done, size - done, done);
    if (read === 0) break;
    done += read;
  }
  return bytes.toString("utf8", 0, done);
}

function short(url: string): string {
  return url.length > 200 ? `${url.slice(0, 200)}...` : url;
}
