// A server with something in it: what the pages look like with a few certificates, and with hostile names.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { logIn } from "./browser.mjs";
import { PIN } from "./server.mjs";

const HOSTILE = [
  "<script>alert(1)</script> <img src=x onerror=alert(1)>",
  "=HYPERLINK(\"http://evil.example\",\"x\")",
  "W".repeat(64),
  "مرحبا Ö 例え",
];

async function selfSign(page, { friendly, common, names = "" }) {
  await page.goto("/certificates/new");
  await page.getByLabel("Certificate Friendly Name").fill(friendly);
  await page.getByLabel("Organization", { exact: true }).fill('Acme, Inc. "X" Ö');
  await page.getByLabel("Name (Common Name)").fill(common);
  await page.getByLabel("Subject Alternative Names").fill(names);
  await page.getByRole("button", { name: "Create Self-Signed Certificate" }).click();
  await page.getByRole("heading", { level: 1, name: "Certificates", exact: true }).waitFor();
}

/** Fills a server by its own pages, and answers the addresses of what was made. */
export async function furnish(page, server) {
  await logIn(page);
  await page.goto("/tokens/0/log-in");
  await page.getByLabel("PIN", { exact: true }).fill(PIN);
  await page.getByRole("button", { name: "Log in", exact: true }).click();
  await selfSign(page, { friendly: "pay, spring 2027", common: "pay.example.org", names: "*.pay.example.org, 203.0.113.7" });
  for (const [index, common] of HOSTILE.entries()) {
    await selfSign(page, { friendly: `hostile ${index} ${common.slice(0, 20)}`, common, names: `h${index}.example.org` });
  }
  await page.goto("/certificates/new");
  await page.getByLabel("Certificate Friendly Name").fill("waits for its answer");
  await page.getByLabel("Name (Common Name)").fill("support.example.org");
  await page.getByRole("button", { name: "Create Certificate Request" }).click();
  await page.goto("/lineages/new");
  await page.getByLabel("Name", { exact: true }).fill("shop");
  await page.getByLabel("Names in the certificate").fill("shop.example.org\n*.shop.example.org");
  await page.getByLabel("Issuer").selectOption("internal");
  await page.getByRole("button", { name: "Make the lineage" }).click();
  const lineage = new URL(page.url()).pathname;
  const first = async (list, selector) => {
    await page.goto(list);
    return page.locator(selector).first().getAttribute("href");
  };
  const certificate = await first("/certificates", 'td a[href^="/certificates/"]');
  const together = await page.locator('td a[href^="/certificates/"]').evaluateAll((links) => links.map((link) => link.getAttribute("href")));
  const pem = await (await page.request.get(`${certificate}/certificate.pem`)).text();
  await page.goto("/certificates/import");
  await page.getByLabel("Or paste the text").fill(pem);
  await page.getByRole("button", { name: "Upload" }).click();
  const preview = new URL(page.url()).pathname;
  return {
    lineage,
    preview,
    certificate,
    csr: await first("/csrs", 'td a[href^="/csrs/"]'),
    key: await first("/keys", 'td a[href^="/keys/"]'),
    target: await first("/targets", 'td a[href^="/targets/"]'),
    together: `/certificates/export?${together.map((address) => `id=${address.split("/").pop()}`).join("&")}`,
    user: await first("/users", 'td a[href^="/users/"]'),
    apiKey: readFileSync(join(server.home, "key"), "utf8").trim(),
  };
}

/** Every page that there is, by name. */
export function everyPage(made) {
  return {
    overview: "/",
    keys: "/keys",
    key: made.key,
    "key-new": "/keys/new?token=0",
    "key-delete": `${made.key}/delete`,
    "token-pin": "/tokens/0/pin",
    "token-log-out": "/tokens/0/log-out",
    "token-name": "/tokens/0/name",
    certificates: "/certificates",
    "certificates-found": "/certificates?q=hostile&sort=name",
    "certificates-none": "/certificates?q=nothing-is-called-so",
    create: "/certificates/new",
    import: "/certificates/import",
    "import-preview": made.preview,
    certificate: made.certificate,
    export: `${made.certificate}/export`,
    "export-several": made.together,
    adopt: `${made.certificate}/adopt`,
    csrs: "/csrs",
    csr: made.csr,
    "csr-withdraw": `${made.csr}/withdraw`,
    lineages: "/lineages",
    "lineage-new": "/lineages/new",
    lineage: made.lineage,
    "lineage-edit": `${made.lineage}/edit`,
    "lineage-retire": `${made.lineage}/retire`,
    issuers: "/issuers",
    "issuer-new": "/issuers/new",
    "issuer-withdraw": "/issuers/internal/withdraw",
    targets: "/targets",
    "target-new": "/targets/new?kind=files",
    target: made.target,
    users: "/users",
    user: made.user,
    "api-keys": "/api-keys",
    audit: "/audit",
    settings: "/settings",
    support: "/support",
    password: "/password",
    "not-found": "/certificates/00",
  };
}
