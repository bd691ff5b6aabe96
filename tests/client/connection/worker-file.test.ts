import { expect, test } from 'vitest';
import { importsOf } from '../../../src/client/connection/worker-file.ts';

test.each([
  [`import { expose } from 'comlink';`, ['comlink']],
  [`import * as comlink from "comlink"`, ['comlink']],
  [`import comlink, {\n  wrap,\n  expose,\n} from 'comlink';`, ['comlink']],
  [`import 'comlink';`, ['comlink']],
  [`import{a as b}from"./a.js";import"./b.js";export*from"idb";`, ['./a.js', './b.js', 'idb']],
  [
    `/*! banner */\nimport { a } from '/a.js';\nimport { b } from 'https://cdn/b.js';`,
    ['/a.js', 'https://cdn/b.js'],
  ],
  [`import { a } from './a.js';\nexport { b } from './a.js';`, ['./a.js']],
  [`const load = () => import('./later.js');`, []],
  [`export const from = 'a'; export function f() { return 'b'; }`, []],
  [`throw new Error("import it from 'x'");`, []],
  ['', []],
])('of %j are imported: %j', (text, imports) => {
  expect(importsOf(text)).toEqual(imports);
});
