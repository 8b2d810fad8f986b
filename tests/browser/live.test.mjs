// Live parts: a renewal's progress comes to the page by itself; without JavaScript the page says the same when it is
// loaded again. A person with fewer roles sees fewer buttons.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, logIn, visitor } from "./browser.mjs";
import { start } from "./server.mjs";

let server;
let browser;
before(async () => {
  [server, browser] = await Promise.all([start(), launch()]);
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

test("a renewal is followed on the page that asked for it", async () => {
  const { context, page, wrong } = await visitor(browser, server.url);
  await logIn(page);
  await page.goto("/lineages/new");
  await page.getByLabel("Name", { exact: true }).fill("live");
  await page.getByLabel("Names in the certificate").fill("live.example.org");
  await page.getByLabel("Issuer").selectOption("internal");
  await page.getByRole("button", { name: "Make the lineage" }).click();
  await page.getByRole("heading", { level: 1, name: "live" }).waitFor();
  let loads = 0;
  page.on("load", () => { loads += 1; });
  const state = page.getByRole("region", { name: "State" });
  await state.getByText("in order").waitFor({ timeout: 20_000 });
  await state.getByRole("link", { name: "live" }).waitFor();
  assert.equal(loads, 0, "the page was not loaded again");
  // Times are shown in the viewer's zone, with UTC on hover.
  const time = state.locator("time").first();
  assert.match(await time.getAttribute("title"), / UTC$/);
  assert.doesNotMatch(await time.innerText(), /UTC/);
  assert.deepEqual(wrong, []);
  await context.close();
});

test("an observer sees no button that he may not use", async () => {
  const { context, page } = await visitor(browser, server.url);
  await logIn(page);
  await page.goto("/users");
  await page.getByLabel("Name", { exact: true }).fill("oliver");
  await page.getByLabel("First password").fill("only looks, never touches");
  await page.getByLabel("Observer").check();
  await page.getByRole("button", { name: "Add user" }).click();
  await page.getByRole("status").first().getByText("oliver may log in now").waitFor();
  await context.close();

  const other = await visitor(browser, server.url);
  await other.page.goto("/login?next=/certificates");
  await other.page.getByLabel("Name", { exact: true }).fill("oliver");
  await other.page.getByLabel("Password", { exact: true }).fill("only looks, never touches");
  await other.page.getByRole("button", { name: "Log in", exact: true }).click();
  await other.page.getByRole("heading", { level: 1, name: "Certificates" }).waitFor();
  assert.equal(await other.page.getByText("Certificate Installation").count(), 0);
  assert.equal(await other.page.getByRole("button", { name: /Apply|Save default/ }).count(), 0);
  const refused = await other.page.goto("/certificates/new");
  assert.equal(refused.status(), 403);
  await other.page.goto("/");
  await other.page.getByRole("button", { name: "Log out" }).click();
  await other.page.getByRole("status").first().getByText("You are logged out").waitFor();
  await other.page.goto("/");
  assert.match(other.page.url(), /\/login\?next=/);
  await other.context.close();
});
