const EXAMPLE = /<!-- example: (\S+) -->\n[^]*?<!-- \/example -->/g;

/**
 * `readme` with each example as its file has it, told apart by `<!-- example: path -->`.
 *
 * @param {string} readme
 * @param {(path: string) => string} read The text of a file, by its path from the root.
 */
export function withExamples(readme, read) {
  return readme.replace(EXAMPLE, (_, /** @type {string} */ path) => {
    const language = path.slice(path.lastIndexOf('.') + 1);
    return `<!-- example: ${path} -->\n\`\`\`${language}\n${read(path)}\`\`\`\n<!-- /example -->`;
  });
}

/**
 * The paths of the examples that `readme` shows.
 *
 * @param {string} readme
 */
export function examplesOf(readme) {
  return [...readme.matchAll(EXAMPLE)].map((match) => match[1]);
}
