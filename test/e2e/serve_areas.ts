/** A server that tests kill: `serve_areas.js DIRECTORY`; it prints the folder of its files. */
import { writeSync } from "node:fs";
import { abi, type Connection, serve } from "../../src/fuse/mod.ts";
import { SharedFolder } from "../../src/base/shared_folder.ts";
import { ioctl } from "../../src/base/system_calls.ts";
import { Areas } from "./areas.ts";

const folder = await SharedFolder.make();
const areas = (connection: Connection) =>
  new Areas(connection, { folder: folder.path, flags: abi.FOPEN_DIRECT_IO });
await serve(process.argv[2], areas, { subtype: "areas", ioctl });
writeSync(1, `${folder.path}\n`);
