/** Writes random programs that use every construct V8 counts; the same seed gives the same program. */

import { type Context, TOP } from "./random_context.ts";
import { RandomText } from "./random_text.ts";
import type { Goal, GoalSource } from "./v8_answers.ts";

/**
 * A program for `drive_sources.cjs`, which defines the functions that it calls: `probe(id)` notes that this
 * place was reached, `coin()` is a random boolean, `keep(value)` hands over a function, class or object to be
 * called. The program ends whatever `coin` says, and no exception leaves a function.
 */
export function randomProgram(seed: number): GoalSource {
  return new ProgramWriter(seed).program();
}

class ProgramWriter extends RandomText {
  #probes = 0;

  program(): GoalSource {
    const goal = this.pick<Goal>(["script", "commonjs", "module", "function"]);
    const context = {
      ...TOP,
      inFunction: goal === "commonjs" || goal === "function",
      isAsync: goal === "module",
    };
    return { goal, source: this.#statements(context, 6) + this.gap() };
  }

  #probe({ isUncounted }: Context): string {
    return isUncounted ? "x" : `probe(${this.#probes++})`;
  }

  #statements(context: Context, most: number): string {
    const count = this.below(most + 1);
    const statements = Array.from({ length: count }, () => this.#statement(context));
    return statements.join(this.pick(["", " ", "\n"]));
  }

  #block(context: Context, most = 3): string {
    const inner = { ...context, depth: context.depth + 1 };
    return `{${this.gap()}${this.#statements(inner, most)}${this.gap()}}`;
  }

  /** The body of an `if` or a loop: not always a block. */
  #body(context: Context): string {
    const choice = this.below(10);
    if (choice < 7) return this.#block(context);
    if (choice === 7) return ";";
    return this.#simple({ ...context, depth: context.depth + 1 });
  }

  #simple(context: Context): string {
    const { inFunction, inLoop, canBreak, labels, isCaught, isAsync, isGenerator } = context;
    const choice = this.below(16);
    if (choice === 0 && inFunction) {
      return `return${
        this.chance(60) ? `${this.space()}${this.#value(context)}` : ""
      }${this.end()}`;
    }
    if (choice === 1 && inLoop) return `continue${this.end()}`;
    if (choice === 2 && canBreak) return `break${this.end()}`;
    if (choice === 3 && labels.length > 0) return `break ${this.pick(labels)}${this.end()}`;
    if (choice === 4 && isCaught) {
      return `throw${this.space()}[${this.#value(context)}]${this.end()}`;
    }
    if (choice === 5 && isAsync) return `await${this.space()}${this.#value(context)}${this.end()}`;
    if (choice === 6 && isGenerator) {
      return `yield${this.pick(["", ` ${this.#value(context)}`, "* [1, 2]"])}${this.end()}`;
    }
    if (choice < 10) return `${this.#probe(context)}${this.end()}`;
    return `x = ${this.#value(context)}${this.end()}`;
  }

  #statement(context: Context): string {
    if (context.depth > 5 || this.chance(35)) return this.#simple(context);
    const write = this.pick([
      () => this.#if(context),
      () => this.#if(context),
      () => this.#loop(context),
      () => this.#loop(context),
      () => this.#switch(context),
      () => this.#try(context),
      () => this.#try(context),
      () => this.#labelled(context),
      () => this.#block(context),
      () => ";",
      () => this.#declaration(context),
      () => this.#keepFunction(context),
      () => this.#keepFunction(context),
      () => this.#keepClass(context),
      () => this.#destructuring(context),
    ]);
    return write();
  }

  #if(context: Context): string {
    let text = `if${this.gap()}(${this.#value(context)})${this.gap()}${this.#body(context)}`;
    if (this.chance(50)) {
      const otherwise = this.chance(40) ? this.#if(context) : this.#body(context);
      text += `${this.gap()}else ${this.gap()}${otherwise}`;
    }
    return text;
  }

  #loop(outer: Context): string {
    const context = { ...outer, depth: outer.depth + 1, inLoop: true, canBreak: true };
    const name = this.name();
    const body = this.#body(context);
    // V8 rewrites a loop whose variable a closure may see, and then counts the code after it once for each
    // time the body ends: right only if it runs and is not left early.
    const isRewritten = this.chance(30);
    const hasClosure = body.includes("keep");
    const tail = `)${this.gap()}${isRewritten ? `{ keep(() => ${name}) }` : body}`;
    const kind = hasClosure && !isRewritten ? "var" : this.pick(["var", "let", "let"]);
    const more = !isRewritten && this.chance(40) ? " && coin()" : "";
    switch (this.below(outer.isAsync ? 8 : 7)) {
      case 0:
        return `while (coin())${this.gap()}${body}`;
      case 1:
        return `do${this.gap()} ${body}${this.gap()} while (coin())${this.end()}`;
      case 2:
        return `for (${kind} ${name} of [1, 2]${tail}`;
      case 3:
        return `for (${kind} ${name} in { a: 1, b: 2 }${tail}`;
      case 4:
        return `for (;coin();)${body}`;
      case 5:
      case 6:
        return `for (${kind} ${name} = 0; ${name} < 2${more}; ${name}++${tail}`;
      default:
        return `for await (${kind} ${name} of [1, Promise.resolve(2)]${tail}`;
    }
  }

  #switch(outer: Context): string {
    const context = { ...outer, depth: outer.depth + 1, canBreak: true };
    const cases = Array.from({ length: this.below(4) }, (_, number) => {
      const head = number === 2
        ? "default"
        : `case ${this.pick(["true", "false", "coin()", "0", "x"])}`;
      const own = this.chance(20) ? `let ${this.name()} = 1;` : "";
      const body = this.chance(20) ? this.#block(context) : this.#statements(context, 3);
      return `${head}${this.gap()}:${this.gap()}${own}${body}`;
    });
    return `switch${this.gap()}(${this.#value(outer)})${this.gap()}{${
      cases.join(" ")
    }${this.gap()}}`;
  }

  #try(context: Context): string {
    const hasCatch = this.chance(75);
    const isCaught = hasCatch || context.isCaught;
    let text = `try${this.gap()}${this.#block({ ...context, isCaught })}`;
    if (hasCatch) {
      text += `${this.gap()}catch${this.pick(["", "(e)", " ({ message = 1 })"])}${
        this.#block(context)
      }`;
    }
    if (!hasCatch || this.chance(40)) {
      text += `${this.gap()}finally${this.gap()}${this.#block(context)}`;
    }
    return text;
  }

  #labelled(context: Context): string {
    const label = this.name();
    const inner = { ...context, labels: [...context.labels, label], depth: context.depth + 1 };
    const statement = this.pick([
      () => this.#if(inner),
      () => this.#loop(inner),
      () => this.#switch(inner),
      // V8 does not count the code after a `try` that was left by its own label.
      () => this.#try(context),
      () => this.#block(inner),
      () => this.#simple(inner),
    ])();
    return `${label}:${this.gap()}${statement}`;
  }

  #declaration(context: Context): string {
    const name = this.name();
    if (this.chance(50)) return `const ${name} = ${this.#value(context)}${this.end()}`;
    return `keep(${name}); function ${name}(${this.#parameters()})${
      this.#functionBody(context, {})
    }`;
  }

  #destructuring(context: Context): string {
    const [first, second] = [this.name(), this.name()];
    return `var { ${first} = ${
      this.#value({ ...context, isUncounted: true })
    }, ...${second} } = coin() ? {} : { ${first}: 1 }${this.end()}`;
  }

  #parameters(): string {
    if (this.chance(50)) return "";
    return this.pick([
      `a = coin()${this.gap()}? 1 : 2`,
      "...a",
      "{ a = coin() && 1 } = {}",
      "a, b = a || 1",
    ]);
  }

  #inFunction({ depth }: Context, { isAsync = false, isGenerator = false }): Context {
    return { ...TOP, depth: depth + 1, inFunction: true, isAsync, isGenerator };
  }

  #functionBody(context: Context, kind: { isAsync?: boolean; isGenerator?: boolean }): string {
    const body = this.#block({ ...this.#inFunction(context, kind), depth: context.depth }, 4);
    // V8 counts a generator's first block when the generator is made.
    return kind.isGenerator ? `{ if (x) ;${body.slice(1)}` : body;
  }

  #keepFunction(context: Context): string {
    const isAsync = this.chance(40);
    const isGenerator = this.chance(35);
    const kind = { isAsync, isGenerator };
    const async = isAsync ? "async " : "";
    const star = isGenerator ? "*" : "";
    const parameters = this.#parameters();
    switch (this.below(4)) {
      case 0:
        return `keep(${async}(${parameters}) => ${
          this.#functionBody(context, { isAsync })
        })${this.end()}`;
      case 1:
        return `keep(${async}(${parameters}) => ${
          this.#value(this.#inFunction(context, { isAsync }))
        })${this.end()}`;
      case 2: {
        const name = this.pick(["m", "get", "static", "async", `["m" + 1]`, "'q'"]);
        return `keep({ ${async}${star}${name}(${parameters})${
          this.#functionBody(context, kind)
        }, get${this.gap()} g() ${this.#functionBody(context, {})} })${this.end()}`;
      }
      default:
        return `keep(${async}function${star}(${parameters})${
          this.#functionBody(context, kind)
        })${this.end()}`;
    }
  }

  #keepClass(context: Context): string {
    const isDerived = this.chance(40);
    const elements = Array.from({ length: this.below(6) }, () => this.#classElement(context));
    if (this.chance(50)) elements.push(this.#classConstructor(context, isDerived));
    const heritage = isDerived ? ` extends (${this.#value(context)}, Object)` : "";
    return `keep(class${heritage}${this.gap()} {${
      elements.join(this.pick([" ", "\n"]))
    }${this.gap()}})${this.end()}`;
  }

  #classConstructor(context: Context, isDerived: boolean): string {
    const start = `constructor(${this.#parameters()})${this.gap()}`;
    if (!isDerived) return start + this.#functionBody(context, {});
    // A derived constructor may not return a number.
    const inner = { ...this.#inFunction(context, {}), inFunction: false };
    return `${start}{super();${this.#block(inner).slice(1)}`;
  }

  #classElement(context: Context): string {
    const isStatic = this.chance(50) ? `static${this.gap()} ` : "";
    const isAsync = this.chance(30);
    const isGenerator = this.chance(30);
    const name = this.pick([this.name(), "static", "async", `#${this.name()}`, `["c" + 1]`]);
    const inner = { ...this.#inFunction(context, {}), inFunction: false, isUncounted: true };
    switch (this.below(5)) {
      case 0:
        return `static${this.gap()}${this.#block(inner)}`;
      case 1:
        return `${isStatic}${name};`;
      case 2:
        return `${isStatic}${name} = ${this.#value(inner)};`;
      case 3: {
        const kind = `${isAsync ? "async " : ""}${isGenerator ? "*" : ""}`;
        return `${isStatic}${kind}${name}(${this.#parameters()})${
          this.#functionBody(context, { isAsync, isGenerator })
        }`;
      }
      default:
        return `${isStatic}get${this.space()}${name}() ${this.#functionBody(context, {})}`;
    }
  }

  #comparison(): string {
    return this.pick(["===", "!==", "==", "!=", "<", ">="]);
  }

  /** An expression that never throws. */
  #value(outer: Context): string {
    const context = { ...outer, depth: outer.depth + 1 };
    if (context.depth > 7 || this.chance(30)) {
      return this.pick(["coin()", this.#probe(context), "x", "1"]);
    }
    const inner = () => this.#value(context);
    const gap = () => this.gap();
    const write = this.pick([
      () => `(${inner()}${gap()}?${gap()}${inner()}${gap()}:${gap()}${inner()})`,
      () =>
        `coin()${gap()}?${gap()}${inner()}${gap()}:${gap()}coin()${gap()}?${gap()}${inner()}:${inner()}`,
      () => `(${inner()}${gap()}&&${gap()}${inner()})`,
      () => `(${inner()}${gap()}||${gap()}${inner()}${gap()}||${inner()})`,
      () => `(${inner()}${gap()}??${gap()}(${inner()}))`,
      () => `(${inner()} + ${inner()})`,
      () => `(${inner()}${gap()}${this.#comparison()} ${inner()})`,
      () => `(${inner()}${gap()}${this.#comparison()}${gap()}1)`,
      () =>
        `${this.pick(["'ab'", "String(x)", "`a`"])}.${
          this.pick(["includes", "startsWith"])
        }(${inner()})`,
      () => `(coin()${gap()}&&${gap()}(${inner()}${gap()})||${inner()})`,
      () => `box${gap()}?.${gap()}value${this.pick(["", "?.[0]", "?.()", ".a", "?.a?.b"])}`,
      () => `(coin() ? null : box)${gap()}?.[${inner()}]`,
      () => `[${inner()}, ${inner()}].length`,
      () => `(x ??= ${this.#value({ ...context, isUncounted: true })})`,
      () => `\`\${${inner()}}\``,
      () => `(${inner()}, ${inner()})`,
      () => `!${gap()}${inner()}`,
      () => `keep(${gap()}() => (${this.#value(this.#inFunction(context, {}))}))`,
      () => (outer.isAsync ? `(await ${inner()})` : inner()),
      () => (outer.isGenerator ? `(yield ${inner()})` : inner()),
    ]);
    return write();
  }
}
