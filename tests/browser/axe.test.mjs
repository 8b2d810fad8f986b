// Every page, light and dark, wide and narrow: axe finds nothing, nothing is wider than the window, nothing hostile acts.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { complaints, complaintsEverywhere, isTooWide, launch, visitor } from "./browser.mjs";
import { everyPage, furnish } from "./house.mjs";
import { start } from "./server.mjs";

let server;
let browser;
let pages;
let state;
before(async () => {
  [server, browser] = await Promise.all([start(), launch()]);
  const { context, page } = await visitor(browser, server.url);
  pages = everyPage(await furnish(page, server));
  state = await context.storageState();
  await context.close();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

for (const colorScheme of ["light", "dark"]) {
  for (const width of [1280, 390]) {
    test(`axe finds nothing, ${colorScheme}, ${width} pixels`, async () => {
      const viewport = { width, height: 900 };
      const { context, page, wrong } = await visitor(browser, server.url, { colorScheme, viewport, storageState: state });
      const found = [];
      for (const [name, address] of Object.entries(pages)) {
        await page.goto(address);
        found.push(...(await complaints(page)).map((text) => `${name}: ${text}`));
        assert.equal(await page.locator("h1").count(), 1, `${name} has one h1`);
        if (await isTooWide(page)) found.push(`${name} is wider than ${width} pixels`);
      }
      assert.deepEqual(found, []);
      assert.deepEqual(wrong, []);
      await context.close();
    });
  }
}

test("strangers' pages too, also with what was wrong", async () => {
  const { context, page } = await visitor(browser, server.url);
  await page.goto("/login");
  const found = await complaintsEverywhere(page);
  await page.getByLabel("Name", { exact: true }).fill("nobody");
  await page.getByLabel("Password", { exact: true }).fill("not a password");
  await page.getByRole("button", { name: "Log in", exact: true }).click();
  await page.getByRole("alert").waitFor();
  found.push(...(await complaintsEverywhere(page)));
  assert.deepEqual(found, []);
  await context.close();
});

test("at 320 pixels only tables and plots scroll sideways", async () => {
  const viewport = { width: 320, height: 800 };
  const { context, page } = await visitor(browser, server.url, { viewport, storageState: state });
  const wide = [];
  for (const [name, address] of Object.entries(pages)) {
    await page.goto(address);
    if (await isTooWide(page)) wide.push(name);
  }
  assert.deepEqual(wide, []);
  await context.close();
});

test("buttons and links are large enough for a finger", async () => {
  const viewport = { width: 390, height: 800 };
  const { context, page } = await visitor(browser, server.url, { viewport, storageState: state });
  for (const address of [pages.certificates, pages.create, pages.keys]) {
    await page.goto(address);
    const small = await page.locator("button:visible, .button:visible, input:visible").evaluateAll((elements) =>
      elements.filter((element) => element.getBoundingClientRect().height < 24).map((element) => element.outerHTML.slice(0, 120)));
    assert.deepEqual(small, [], address);
  }
  await context.close();
});

test("hostile names are shown and do nothing, in pages and files", async () => {
  const { context, page, wrong } = await visitor(browser, server.url, { storageState: state });
  let dialogs = 0;
  page.on("dialog", async (dialog) => { dialogs += 1; await dialog.dismiss(); });
  for (const address of [pages.certificates, pages.certificate, pages.audit, pages.overview]) {
    await page.goto(address);
    assert.equal(await page.locator("main img, main script").count(), 0, address);
  }
  await page.goto(pages.certificates);
  assert.match(await page.getByRole("main").innerText(), /<script>alert\(1\)<\/script>/);
  const csv = await (await page.request.get("/certificates?format=csv")).text();
  assert.doesNotMatch(csv, /(^|,|")[=+@-](?!\d)/m);
  assert.match(csv, /"'=HYPERLINK/);
  const json = await (await page.request.get("/certificates?format=json")).json();
  assert.ok(json.some((row) => row.issued_to.startsWith("=HYPERLINK")));
  assert.equal(dialogs, 0);
  assert.deepEqual(wrong, []);
  await context.close();
});
