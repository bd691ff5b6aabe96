import path from 'node:path';
import { parseSync, Visitor } from 'vite';

/**
 * The kind of an import. 'type': erased by the compiler. 'static': loaded before the importing
 * file. 'dynamic': `import()`. 'url': `new URL('…', import.meta.url)`, which loads the imported
 * file in another thread.
 */
export type ImportKind = 'type' | 'static' | 'dynamic' | 'url';

export interface Import {
  readonly kind: ImportKind;
  /** The specifier as written; `undefined` for a computed specifier. */
  readonly specifier: string | undefined;
}

/** The layers that the files of one layer may import. */
export interface LayerRule {
  readonly imports?: readonly string[];
  /** Layers of which only types may be imported. */
  readonly types?: readonly string[];
  /** Layers whose files may be loaded in another thread. */
  readonly starts?: readonly string[];
}

export interface Rules {
  /** The rule of each layer. A layer is a folder of `src`, or a file directly in `src`. */
  readonly layers: Readonly<Record<string, LayerRule>>;
  /**
   * The rooms of a layer, lowest first: a room imports those before it in the list. `''` is the
   * layer's own folder. A layer that is not listed has no rooms.
   */
  readonly rooms?: Readonly<Record<string, readonly string[]>>;
  /** The packages that may be imported, each at run time in exactly one file. */
  readonly packages: readonly string[];
}

/** The text of each file by its path in `src`, such as `client/host.ts`. */
export type Sources = ReadonlyMap<string, string>;

export function readImports(file: string, source: string): Import[] {
  const { program, errors } = parseSync(file, source);
  if (errors.length > 0) throw new Error(`${file} does not parse: ${errors[0]!.message}`);
  const found: Import[] = [];
  const visitor = new Visitor({
    // `import { type A } from 'a'` still loads 'a' (verbatimModuleSyntax); `import type` does not.
    ImportDeclaration: ({ importKind, source: { value } }) => {
      found.push({ kind: importKind === 'type' ? 'type' : 'static', specifier: value });
    },
    ExportAllDeclaration: ({ exportKind, source: { value } }) => {
      found.push({ kind: exportKind === 'type' ? 'type' : 'static', specifier: value });
    },
    ExportNamedDeclaration: ({ exportKind, source: from }) => {
      if (from === null) return;
      found.push({ kind: exportKind === 'type' ? 'type' : 'static', specifier: from.value });
    },
    TSExternalModuleReference: ({ expression }) => {
      found.push({ kind: 'static', specifier: expression.value });
    },
    TSImportType: ({ source: from }) => {
      found.push({ kind: 'type', specifier: from.value });
    },
    ImportExpression: ({ source: from }) => {
      found.push({ kind: 'dynamic', specifier: textOf(from) });
    },
    NewExpression: ({ callee, arguments: [from, base] }) => {
      if (callee.type !== 'Identifier' || callee.name !== 'URL' || from === undefined) return;
      if (base?.type !== 'MemberExpression' || base.object.type !== 'MetaProperty') return;
      found.push({ kind: 'url', specifier: textOf(from) });
    },
  });
  visitor.visit(program);
  return found;
}

function textOf(node: { type: string; value?: unknown }): string | undefined {
  return node.type === 'Literal' && typeof node.value === 'string' ? node.value : undefined;
}

/** A sentence for each import that breaks a rule. */
export function findViolations(sources: Sources, rules: Rules): string[] {
  const violations: string[] = [];
  const users = new Map<string, Set<string>>(rules.packages.map((name) => [name, new Set()]));
  for (const [file, source] of sources) {
    const rule = rules.layers[layerOf(file)];
    if (rule === undefined) {
      violations.push(`${file} lies in no known layer`);
      continue;
    }
    if (!roomsOf(rules.rooms ?? {}, file).includes(roomOf(file))) {
      violations.push(`${file} lies in no known room`);
      continue;
    }
    for (const { kind, specifier } of readImports(file, source)) {
      if (specifier === undefined) {
        violations.push(`${file} imports what it computes`);
      } else if (specifier.startsWith('.')) {
        const target = resolve(file, specifier);
        if (!sources.has(target)) {
          violations.push(`${file} imports ${specifier}, which is not there`);
        } else if (
          !isAllowed(rule, layerOf(file), layerOf(target), kind) ||
          !isBelow(rules.rooms ?? {}, file, target)
        ) {
          violations.push(`${file} must not import ${target} (${kind})`);
        }
      } else if (!users.has(specifier)) {
        violations.push(`${file} must not import the package ${specifier}`);
      } else if (kind !== 'type') {
        users.get(specifier)!.add(file);
      }
    }
  }
  for (const [name, files] of users) {
    if (files.size === 1) continue;
    const where = files.size === 0 ? 'no file' : [...files].join(' and ');
    violations.push(`the package ${name} must be imported in one file, and is in ${where}`);
  }
  return violations;
}

function isAllowed(rule: LayerRule, from: string, to: string, kind: ImportKind): boolean {
  if (kind === 'url') return rule.starts?.includes(to) ?? false;
  if (from === to || rule.imports?.includes(to)) return true;
  return kind === 'type' && (rule.types?.includes(to) ?? false);
}

/** Whether the target is in another layer, in the same room, or in a lower room. */
function isBelow(rooms: Required<Rules>['rooms'], file: string, target: string): boolean {
  if (layerOf(file) !== layerOf(target)) return true;
  const order = roomsOf(rooms, file);
  return order.indexOf(roomOf(target)) <= order.indexOf(roomOf(file));
}

function roomsOf(rooms: Required<Rules>['rooms'], file: string): readonly string[] {
  return rooms[layerOf(file)] ?? [''];
}

/** The folder within the layer: 'fetch' for `client/fetch/fetcher.ts`. */
function roomOf(file: string): string {
  return file.split('/').slice(1, -1).join('/');
}

/**
 * A cycle of imports of any kind but 'url', such as `a.ts > b.ts > a.ts`; `undefined` without one.
 */
export function findCycle(sources: Sources): string | undefined {
  const done = new Set<string>();
  const visit = (file: string, way: readonly string[]): string | undefined => {
    if (way.includes(file)) return [...way.slice(way.indexOf(file)), file].join(' > ');
    if (done.has(file)) return undefined;
    for (const next of importsOf(sources, file, ['type', 'static', 'dynamic'])) {
      const cycle = visit(next, [...way, file]);
      if (cycle !== undefined) return cycle;
    }
    done.add(file);
    return undefined;
  };
  for (const file of sources.keys()) {
    const cycle = visit(file, []);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}

/** `file`, and every file that it imports, directly or indirectly, by imports of these kinds. */
export function reachable(
  sources: Sources,
  file: string,
  kinds: readonly ImportKind[],
): Set<string> {
  const reached = new Set([file]);
  for (const at of reached) {
    for (const next of importsOf(sources, at, kinds)) reached.add(next);
  }
  return reached;
}

function importsOf(sources: Sources, file: string, kinds: readonly ImportKind[]): string[] {
  return readImports(file, sources.get(file) ?? '')
    .filter(({ kind, specifier }) => kinds.includes(kind) && specifier?.startsWith('.'))
    .map(({ specifier }) => resolve(file, specifier!));
}

function resolve(file: string, specifier: string): string {
  return path.posix.join(path.posix.dirname(file), specifier).replace(/\.js$/, '.ts');
}

function layerOf(file: string): string {
  return file.split('/')[0]!;
}
