/**
 * Text in the format of OpenMetrics 1.0, which Prometheus and others read:
 * https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md
 */

import { visible } from "./display_text.ts";

/** A metric: samples that differ in their labels. */
export interface MetricFamily {
  /** Without the suffix that samples have by type. It ends with the unit. */
  readonly name: string;
  readonly type: keyof typeof SUFFIXES;
  readonly unit?: string;
  /** A sentence. */
  readonly help: string;
  readonly samples: readonly Sample[];
}

export interface Sample {
  readonly labels?: Readonly<Record<string, string | number>>;
  readonly value: number;
}

/** The suffixes of a family's name in its samples, by type. */
const SUFFIXES = { counter: "_total", gauge: "", info: "_info", stateset: "" } as const;
const ESCAPES: Readonly<Record<string, string>> = { "\\": "\\\\", '"': '\\"', "\n": "\\n" };

/** Families without samples are left out. */
export function formatOpenMetrics(families: readonly MetricFamily[]): string {
  const texts = families.filter(({ samples }) => samples.length > 0).map(formatFamily);
  return `${texts.join("")}# EOF\n`;
}

function formatFamily({ name, type, unit, help, samples }: MetricFamily): string {
  const lines = [
    `# TYPE ${name} ${type}`,
    ...(unit === undefined ? [] : [`# UNIT ${name} ${unit}`]),
    `# HELP ${name} ${escape(help)}`,
    ...samples.map(({ labels, value }) =>
      `${name}${SUFFIXES[type]}${formatLabels(labels)} ${value}`
    ),
  ];
  return `${lines.join("\n")}\n`;
}

function formatLabels(labels: Sample["labels"] = {}): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escape(String(value))}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function escape(text: string): string {
  const plain = visible(text, (character) => character === "\n" ? character : "?");
  return plain.replace(/[\\"\n]/g, (character) => ESCAPES[character]);
}

/** One of several states, as the samples of a `stateset`. Its label is the family's name. */
export function stateSamples(
  state: string,
  { family, states, labels }: {
    readonly family: string;
    readonly states: readonly string[];
    readonly labels: Record<string, string | number>;
  },
): Sample[] {
  return states.map((one) => ({
    labels: { ...labels, [family]: one },
    value: one === state ? 1 : 0,
  }));
}
