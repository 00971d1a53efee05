/** The suites that `same_program.ts` runs: of packages as they are in their repositories, none of which is built. */

export interface Suite {
  readonly name: string;
  /** Its owner and name at GitHub. */
  readonly repository: string;
  readonly commit: string;
  /** Where its package is. @default {"."} */
  readonly folder?: string;
  /** The arguments of `npm`. @default `ci` where there is a lock file, else `install` */
  readonly install?: string;
  /** A command line of the shell. */
  readonly command: string;
  readonly env?: NodeJS.ProcessEnv;
  /** A line of a test; or one that has the number of tests in a group. */
  readonly test: RegExp;
  /** Texts that differ from one run to the next, and their replacements. */
  readonly masks?: readonly Mask[];
  /** @default all */
  readonly runtimes?: readonly string[];
}

export type Mask = [text: RegExp, instead: string];

/** Times, process numbers, ports, and names of temporary files. */
export const MASKS: readonly Mask[] = [
  [/duration_ms:? [\d.]+/g, "duration_ms"],
  [/\b[\d.]+ ?(ms|s|seconds)\b/g, "TIME"],
  [/\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT/g, "DATE"],
  [/# time=.*/g, "# time"],
  [/\(node:\d+\)/g, "(node:PID)"],
  [/(127\.0\.0\.1|localhost|\[?::1?\]?):\d{4,5}\b/g, "$1:PORT"],
  [/port: \d+/g, "port: PORT"],
  // Files that run at the same time are told of in any order.
  [/^( *(?:not )?ok) \d+/gm, "$1"],
];

const TAP = /^ *(?:not )?ok \d+/gm;
const NODE_TEST = "node --test --test-reporter=tap";

export const SUITES: readonly Suite[] = [
  {
    name: "koa",
    repository: "koajs/koa",
    commit: "e0ba8ef39d27fe5dae5492f9fe753d155124f994",
    command: NODE_TEST,
    test: TAP,
  },
  {
    name: "js-yaml",
    repository: "nodeca/js-yaml",
    commit: "74a01992953302040be3277c08ba214a06f00b87",
    // Its own mocha does not start on Node 26.
    install: "install mocha@11",
    command: "mocha --timeout 60000 --reporter tap",
    test: TAP,
  },
  {
    name: "express",
    repository: "expressjs/express",
    commit: "a3714473feb3d2908add734d340e7755fd85e0a3",
    command:
      "mocha --timeout 60000 --require test/support/env --reporter tap --check-leaks test/ test/acceptance/",
    test: TAP,
  },
  {
    name: "proxyquire",
    repository: "thlorenz/proxyquire",
    commit: "1967b1b7f012a25cf0d6b0c75aafbdaf1afe0ae3",
    command: "mocha --timeout 60000 --require should --reporter tap --ui bdd test",
    test: TAP,
  },
  {
    name: "qs",
    repository: "ljharb/qs",
    commit: "3a890d4ecd3deb72a45d90be36f4f8c5970467c7",
    command: "tape 'test/**/*.js'",
    test: TAP,
  },
  {
    name: "node-source-map-support",
    repository: "evanw/node-source-map-support",
    commit: "7b5b81eb14c9ee6c6537398262bf7dab8580621c",
    command: "mocha --timeout 60000 --reporter tap",
    test: TAP,
  },
  {
    name: "node-stack-trace",
    repository: "felixge/node-stack-trace",
    commit: "68ba5373d4a24984dc7075240258cbbc0f797cea",
    command: NODE_TEST,
    test: TAP,
  },
  {
    name: "rewire",
    repository: "jhnns/rewire",
    commit: "22a66efc729d2a645b471163ae9a351521e0e875",
    command: "mocha --timeout 60000 -r ts-node/register --reporter tap",
    test: TAP,
  },
  {
    name: "chai",
    repository: "chaijs/chai",
    commit: "099f48a326f0d77a0e4e9a34d7050b4217dd62d1",
    command:
      "echo 'export * from \"./lib/chai.js\"' > index.js; mocha --timeout 60000 --require ./test/bootstrap/index.js --reporter tap 'test/*.js'",
    test: TAP,
  },
  {
    name: "pirates",
    repository: "danez/pirates",
    commit: "bf340ebe15c123c40949b03dec50bf917a85bb08",
    command: "ava --tap --concurrency=1",
    test: TAP,
  },
  {
    name: "uvu",
    repository: "lukeed/uvu",
    commit: "9419247b8f93b61ce9a3aeca562f08491101a765",
    command:
      "for f in assert diff parse suite uvu; do node -r esm -r module-alias/register test/$f.js; done",
    test: /Total: +(\d+)/g,
    // The package `esm`, which loads it, does not start on newer ones.
    runtimes: ["Node 20"],
  },
  {
    name: "lodash",
    repository: "lodash/lodash",
    commit: "9429a4ee03056e5b7be9a85a54571d7630f05983",
    command: "node test/test",
    test: /PASS: +(\d+)/g,
    masks: [[/[^\n]*Please wait[^\n]*|^ *-{20,}$/gm, ""], [/Finished in \d+/g, "Finished in"]],
  },
  {
    name: "stack-utils",
    repository: "tapjs/stack-utils",
    commit: "be2a608a000f35c97679e78d88898d4fc09e0a13",
    command: "tap --no-coverage --jobs=1 --reporter=tap",
    test: TAP,
  },
];
