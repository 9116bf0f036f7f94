/**
 * What the bench wrote before, its parts replaced by those of a later run of some; each of these says by what command and with what
 * yardstick it was measured. Parts that were not there go to the end.
 */
export function withParts(before: string, later: string): string {
  const [head = '', ...replaced] = sectionsOf(later)
  const about = head.split('\n').filter((line) => line.startsWith('`npm run bench') || line.startsWith('Yardstick'))
  const sections = sectionsOf(before)
  for (const section of replaced) {
    const dated = `${section.trimEnd()}\n\nMeasured later than the rest: ${about.join(' ')}`
    const at = sections.findIndex((one) => headingOf(one) === headingOf(section))
    sections.splice(at < 0 ? sections.length : at, at < 0 ? 0 : 1, dated)
  }
  return `${sections.map((section) => section.trimEnd()).join('\n\n')}\n`
}

/** What comes before the first heading, and each heading with what follows it. */
function sectionsOf(text: string): string[] {
  return text.split(/^(?=## )/m)
}

function headingOf(section: string): string | undefined {
  return section.split('\n', 1)[0]
}
