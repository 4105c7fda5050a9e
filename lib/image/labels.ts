/** The name to show for a label such as 'goldfish, Carassius auratus': the first of its synonyms. */
export function displayName(label: string): string {
  return label.split(',', 1)[0]!.trim();
}
