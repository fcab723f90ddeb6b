/** Renders the cart as an HTML table. */
export function renderCart(lines: { product: string; cents: number }[]): string {
  const rows = lines.map((line) => `<tr><td>${escapeHtml(line.product)}</td><td>${formatMoney(line.cents)}</td></tr>`);
  return `<table>${rows.join("")}</table>`;
}

/** Cents as a decimal amount with two digits. */
export function formatMoney(cents: number): string {
  return (cents / 100).toFixed(2);
}

function escapeHtml(text: string): string {
  return text.replace(/&/g, "&amp;").replace(/</g, "&lt;");
}
