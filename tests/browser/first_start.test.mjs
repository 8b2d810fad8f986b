// The first start in a browser: the link that `serve` prints, the form, the passphrase, the first log-in.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { complaintsEverywhere, launch, visitor } from "./browser.mjs";
import { ADMIN, PIN, start } from "./server.mjs";

let browser;
before(async () => { browser = await launch(); });
after(async () => { await browser?.close(); });

for (const javaScriptEnabled of [true, false]) {
  const how = javaScriptEnabled ? "by the link" : "by the code, without JavaScript";
  test(`a new server is set up ${how}`, async () => {
    const server = await start({ installed: false });
    try {
      const { context, page, wrong } = await visitor(browser, server.url, { javaScriptEnabled });
      const found = [];
      // axe is a script; the pages are the same without.
      const look = async () => { if (javaScriptEnabled) found.push(...(await complaintsEverywhere(page))); };
      const code = /\/setup#([^\s]+)/.exec(server.said())?.[1];
      assert.ok(code, `no setup link in:\n${server.said()}`);
      if (javaScriptEnabled) {
        await page.goto("/setup");
        await look();
        // The link is pasted where the page is open already: only the fragment changes, and nothing is loaded anew.
        await page.goto(`/setup#${code}`);
        await page.getByLabel("PIN again").waitFor();
        await look();
      } else {
        // Whoever comes to the front door of a new server is led to its setup.
        await page.goto("/");
        await page.getByLabel("One-time code").fill("not-the-code");
        await page.getByRole("button", { name: "Go on" }).click();
        assert.match(await page.getByRole("alert").innerText(), /setup code is not right/);
        await page.getByLabel("One-time code").fill(code);
        await page.getByRole("button", { name: "Go on" }).click();
      }
      // All that is wrong is said at once.
      await page.getByLabel("Name", { exact: true }).fill("Not A Name!");
      await page.getByLabel("Password", { exact: true }).fill("short");
      await page.getByLabel("PIN", { exact: true }).fill("1234");
      await page.getByLabel("PIN again").fill("12345");
      await page.getByRole("button", { name: "Set up" }).click();
      assert.match(await page.getByRole("alert").innerText(), /^4 fields need another look/);
      await page.getByLabel("Name", { exact: true }).fill(ADMIN.name);
      await page.getByLabel("Password", { exact: true }).fill(ADMIN.password);
      await page.getByLabel("Environment", { exact: true }).selectOption("test");
      await page.getByLabel("PIN", { exact: true }).fill(PIN);
      await page.getByLabel("PIN again").fill(PIN + "x");
      await page.getByRole("button", { name: "Set up" }).click();
      assert.match(await page.getByRole("alert").innerText(), /entries differ/);
      await look();
      assert.equal(await page.getByLabel("PIN", { exact: true }).inputValue(), "");
      await page.getByLabel("Password", { exact: true }).fill(ADMIN.password);
      await page.getByLabel("PIN", { exact: true }).fill(PIN);
      await page.getByLabel("PIN again").fill(PIN);
      await page.getByRole("button", { name: "Set up" }).click();
      await page.getByRole("heading", { level: 1, name: "Recovery passphrase" }).waitFor();
      assert.ok((await page.locator("#phrase").innerText()).length >= 12);
      await look();
      await page.getByLabel("I have written it down.").check();
      await page.getByRole("button", { name: "Log in" }).click();
      await page.getByLabel("Name", { exact: true }).fill(ADMIN.name);
      await page.getByLabel("Password", { exact: true }).fill(ADMIN.password);
      await page.getByRole("button", { name: "Log in", exact: true }).click();
      await page.getByRole("heading", { level: 1, name: "Overview" }).waitFor();
      await page.goto("/setup");
      assert.match(page.url(), /\/login$/);
      assert.deepEqual(found, []);
      assert.deepEqual(wrong, []);
      await context.close();
    } finally {
      await server.stop();
    }
  });
}
