const EXAMPLE = /<!-- example: (\S+) -->\n[^]*?<!-- \/example -->/g;

/** `readme` with each example as its file has it; `read` gives the text of a file by its path from the root. */
export function withExamples(readme: string, read: (path: string) => string): string {
  return readme.replace(EXAMPLE, (_, path: string) => {
    const language = path.slice(path.lastIndexOf('.') + 1);
    return `<!-- example: ${path} -->\n\`\`\`${language}\n${read(path)}\`\`\`\n<!-- /example -->`;
  });
}

/** The paths of the examples that `readme` shows. */
export function examplesOf(readme: string): string[] {
  return [...readme.matchAll(EXAMPLE)].map((match) => match[1]!);
}
