import { parseArgs } from 'node:util';

const USAGE = `Usage: npm run bench -- [--quick] [--json <file>] [--markdown <file>]

  --quick            small sizes and one round: shows that it works, measures little
  --json <file>      writes the results as JSON
  --markdown <file>  writes the tables as Markdown`;

/**
 * @typedef {{ quick: boolean, json: string | undefined, markdown: string | undefined }} Options
 * @param {string[]} args
 * @returns {Options | undefined} undefined: help was asked for, and given.
 */
export function parseOptions(args) {
  const { values } = parseArgs({
    args,
    options: {
      quick: { type: 'boolean', default: false },
      json: { type: 'string' },
      markdown: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    console.log(USAGE);
    return undefined;
  }
  return { quick: values.quick, json: values.json, markdown: values.markdown };
}
