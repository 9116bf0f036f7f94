const CASE = /<testcase package="([^"]*)" classname="([^"]*)"[^>]*?(?:\/>|>([\s\S]*?)<\/testcase>)/g

/** The cases of a JUnit report of h2spec, by name; the value is why a case failed, undefined where it holds. */
export function readReport(xml: string): Map<string, string | undefined> {
  const cases = new Map<string, string | undefined>()
  for (const [, section = '', name = '', inside = ''] of xml.matchAll(CASE)) {
    const failure = /<(failure|error|skipped)>([\s\S]*?)<\/\1>/.exec(inside)?.[2]
    cases.set(`${section}: ${plain(name)}`, failure === undefined ? undefined : plain(failure))
  }
  return cases
}

const entities: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  '#34': '"',
  '#39': "'",
  '#xA': ' '
}

function plain(text: string): string {
  return text
    .replace(/&(#?\w+);/g, (whole, name: string) => entities[name] ?? whole)
    .replace(/[^\x20-\x7e]+/g, ' ')
    .trim()
}
