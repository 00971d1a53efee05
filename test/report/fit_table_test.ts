import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Column, fitTable } from "../../src/report/fit_table.ts";

const table = suite("report/fit_table");

const COLUMNS: readonly Column[] = [
  { heading: "ID", cells: ["1", "234"], isNumber: true },
  { heading: "NAME", cells: ["api", "a-name-of-twenty-five-char"] },
  { heading: "LESS", cells: ["yes", "no"], rank: 1 },
  { heading: "LEAST", cells: ["5", "-"], isNumber: true, rank: 2 },
  { heading: "STATE", cells: ["running", "late"] },
];

table("numbers stand to the right, texts to the left", () => {
  assert.equal(fitTable(COLUMNS, Infinity), [
    " ID  NAME                        LESS  LEAST  STATE",
    "  1  api                         yes       5  running",
    "234  a-name-of-twenty-five-char  no        -  late",
  ]);
});

table("long cells are shortened before anything is left out", () => {
  assert.equal(fitTable(COLUMNS, 52), [
    " ID  NAME                  LESS  LEAST  STATE",
    "  1  api                   yes       5  running",
    "234  a-name-of-twenty-fi~  no        -  late",
  ]);
});

table("what matters least is left out first", () => {
  assert.equal(fitTable(COLUMNS, 46), [
    " ID  NAME                  LESS  STATE",
    "  1  api                   yes   running",
    "234  a-name-of-twenty-fi~  no    late",
  ]);
  assert.equal(fitTable(COLUMNS, 39)[0], " ID  NAME                  STATE");
});

table("what cannot be left out is cut off", () => {
  assert.equal(fitTable(COLUMNS, 10), [" ID  NAME", "  1  api", "234  a-nam"]);
});

table("without rows there are the headings alone", () => {
  const empty = COLUMNS.map((column) => ({ ...column, cells: [] }));
  assert.equal(fitTable(empty, 80), ["ID  NAME  LESS  LEAST  STATE"]);
});

table.run();
