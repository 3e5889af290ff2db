/**
 * The command, over as many lines as it has, that a text for people prints between its paragraphs, indented by two: the one
 * with this word in it. What a person would paste is what is tried.
 */
export function printedCommand(text: string, word: string): string {
  const commands = text.match(/^ {2}(?=\S)(?:.*\\\n)*.*$/gm) ?? [];
  const found = commands.find((command) => command.includes(word));
  if (found === undefined) throw new Error(`no command with "${word}" is printed in:\n${text}`);
  return found;
}
