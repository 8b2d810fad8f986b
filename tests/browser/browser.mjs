// Debian's Chromium, and what a person does in it: look for words and click them.
import { existsSync } from "node:fs";
import { AxeBuilder } from "@axe-core/playwright";
import { chromium } from "playwright-core";
import { ADMIN } from "./server.mjs";

export function launch() {
  const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
  if (!existsSync(executablePath)) throw new Error(`no Chromium at ${executablePath}; set CHROMIUM`);
  return chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
}

/** A visitor with a browser of his own. Errors of the page and blocked content count as failures of the test. */
export async function visitor(browser, url, options = {}) {
  const context = await browser.newContext({
    ignoreHTTPSErrors: true, baseURL: url, timezoneId: "Europe/Helsinki", locale: "en-GB", ...options,
  });
  const page = await context.newPage();
  const wrong = [];
  page.on("pageerror", (error) => wrong.push(String(error)));
  page.on("console", (message) => {
    const isPolicy = /Content Security Policy/i.test(message.text());
    if (isPolicy) wrong.push(message.text());
  });
  return { context, page, wrong };
}

export async function logIn(page) {
  await page.goto("/login");
  await page.getByLabel("Name", { exact: true }).fill(ADMIN.name);
  await page.getByLabel("Password", { exact: true }).fill(ADMIN.password);
  await page.getByRole("button", { name: "Log in", exact: true }).click();
  await page.getByRole("heading", { level: 1, name: "Overview" }).waitFor();
}

/** The section under a heading, as the step lists name them. */
export function section(page, name) {
  return page.locator("section").filter({ has: page.getByRole("heading", { name, exact: true }) });
}

/** Whether the page is wider than the window: only tables and plots may scroll sideways. */
export function isTooWide(page) {
  return page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);
}

/** What axe finds on the page that is shown, a line each. Our pages have no frames, so the quick mode sees all of them. */
export async function complaints(page, { without = [] } = {}) {
  const axe = new AxeBuilder({ page }).setLegacyMode();
  for (const selector of without) axe.exclude(selector);
  const found = await axe.analyze();
  return found.violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.html.slice(0, 160)).join(" | ")}`);
}

/** The same in every scheme and width, as the page stands: what was typed into it stays. Too wide is a complaint too. */
export async function complaintsEverywhere(page) {
  const found = [];
  for (const colorScheme of ["light", "dark"]) {
    for (const width of [1280, 390]) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height: 900 });
      found.push(...(await complaints(page)).map((text) => `${page.url()} ${colorScheme} ${width}: ${text}`));
      if (await isTooWide(page)) found.push(`${page.url()} is wider than ${width} pixels`);
    }
  }
  return found;
}
