// Every list with nothing in it, with ten thousand rows, and with hostile names: axe finds nothing, nothing is wider than
// the window, and a page stays a page in bytes and time.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { complaints, complaintsEverywhere, isTooWide, launch, logIn, visitor } from "./browser.mjs";
import { crowd, MANY, WORD } from "./crowd.mjs";
import { start } from "./server.mjs";

const LISTS = ["/", "/certificates", "/csrs", "/lineages", "/keys", "/issuers", "/targets", "/users", "/api-keys", "/audit"];
/** Bytes and milliseconds of the largest page that is still reasonable (the program under test is a debug build). */
const MOST_BYTES = 400_000;
const MOST_TIME = 8_000;

let browser;
before(async () => { browser = await launch(); });
after(async () => { await browser?.close(); });

/** Looks at each page wide and light, then narrow and dark. Of a hundred rows that one template made, axe sees the first twelve. */
async function lookAt(server, pages) {
  const { context, page, wrong } = await visitor(browser, server.url);
  const found = [];
  await logIn(page);
  for (const address of pages) {
    await page.emulateMedia({ colorScheme: "light" });
    await page.setViewportSize({ width: 1280, height: 900 });
    const began = Date.now();
    const answer = await page.goto(address);
    const [bytes, time] = [(await answer.body()).length, Date.now() - began];
    if (answer.status() !== 200) found.push(`${address} answers ${answer.status()}`);
    if (bytes > MOST_BYTES || time > MOST_TIME) found.push(`${address} takes ${bytes} bytes and ${time} ms`);
    if (await isTooWide(page)) found.push(`${address} is wider than 1280 pixels`);
    await page.emulateMedia({ colorScheme: "dark" });
    await page.setViewportSize({ width: 390, height: 900 });
    if (await isTooWide(page)) found.push(`${address} is wider than 390 pixels`);
    found.push(...(await complaints(page, { without: ["tbody tr:nth-child(n+13)"] })).map((text) => `${address}: ${text}`));
    const acting = await page.locator("main img, main script, main svg[onload]").count();
    if (acting > 0) found.push(`${address} shows markup that somebody typed`);
  }
  assert.deepEqual(found, []);
  assert.deepEqual(wrong, []);
  return { context, page };
}

/**
 * Ticks of certificates go along from page to page and from search to search, and what is ticked is exported together.
 * `look` sees the page in between; axe needs the script.
 */
async function tickOverPages(page, look) {
  const boxes = page.locator("main tbody input[type=checkbox]");
  const elsewhere = page.getByRole("group", { name: "Ticked on other pages" }).getByRole("checkbox");
  await page.goto("/certificates");
  await boxes.nth(0).check();
  await boxes.nth(1).check();
  await page.getByRole("button", { name: "Next page" }).click();
  await elsewhere.nth(1).waitFor();
  await boxes.first().check();
  await page.getByLabel("Find").fill(WORD);
  await page.keyboard.press("Enter");
  await elsewhere.nth(2).waitFor();
  assert.equal(await page.getByLabel("Find").inputValue(), WORD);
  await look(page);
  await elsewhere.nth(0).uncheck();
  await page.getByLabel("Select Action").selectOption("Export");
  await page.getByRole("button", { name: "Apply" }).click();
  await page.getByRole("heading", { level: 1, name: "Export" }).waitFor();
  await page.getByText("2 certificates.").waitFor();
}

test("lists with nothing in them", async () => {
  const server = await start();
  try {
    const { context } = await lookAt(server, LISTS);
    await context.close();
  } finally {
    await server.stop();
  }
});

test("lists with ten thousand rows, and hostile names", async () => {
  const server = await start();
  try {
    const programs = await visitor(browser, server.url);
    const made = await crowd(server, programs.page);
    await programs.context.close();
    const hostile = LISTS.filter((list) => !["/", "/users", "/audit"].includes(list)).map((list) => `${list}?q=${WORD}`);
    const { context, page } = await lookAt(server, [...LISTS, ...hostile, made.lineage, "/lineages/lin-crowd-9"]);
    // Page by page to the end of what is there, by the links that are there.
    await page.goto("/users?q=observer");
    // A page of a hundred rows is counted when it is there as a whole.
    const follow = (name) => Promise.all([page.waitForEvent("load"), page.getByRole("link", { name }).click()]);
    for (let turn = 0; turn < 2; turn += 1) await follow("Next page");
    assert.equal(await page.locator("main tbody tr").count(), 100);
    await page.goto("/keys");
    await follow("More keys of system");
    assert.equal(await page.locator('main a[href^="/keys/"] strong').count(), 100);
    await follow("More keys of system");
    assert.equal(await page.locator('main a[href^="/keys/"] strong').count(), 100);
    const keys = await (await page.request.get("/keys?format=json")).json();
    assert.ok(keys.length > MANY, `${keys.length}`);
    await tickOverPages(page, async () => assert.deepEqual(await complaintsEverywhere(page), []));
    await context.close();
    const plain = await visitor(browser, server.url, { javaScriptEnabled: false });
    await logIn(plain.page);
    await tickOverPages(plain.page, async () => assert.equal(await isTooWide(plain.page), false));
    await plain.context.close();
  } finally {
    await server.stop();
  }
});
