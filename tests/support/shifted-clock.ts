/**
 * Sets the clock of a page, a worker or a process of Node so far ahead of the machine's, or behind where
 * negative. Runs in that realm; what its runtime has inside goes by the machine's.
 */
export function setClock(aheadMs: number): void {
  const realm = globalThis as { Date: DateConstructor; machineDate?: DateConstructor };
  const machine = (realm.machineDate ??= Date);
  realm.Date = class extends machine {
    constructor(...args: []) {
      super(...((args.length === 0 ? [machine.now() + aheadMs] : args) as []));
    }
    static override now(): number {
      return machine.now() + aheadMs;
    }
  } as DateConstructor;
}

/** The same as a statement of a script. */
export function clockScript(aheadMs: number): string {
  return `(${String(setClock)})(${aheadMs});`;
}

/** The variables of a process of Node that has such a clock from its start on. */
export function clockEnv(aheadMs: number): NodeJS.ProcessEnv {
  if (aheadMs === 0) return {};
  const script = encodeURIComponent(clockScript(aheadMs));
  return { NODE_OPTIONS: `--import=data:text/javascript,${script}` };
}
