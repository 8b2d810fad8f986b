// Import by file and by pasted text, the answer to a request among them; OpenSSL is the certificate authority.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { launch, logIn, section, visitor } from "./browser.mjs";
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

/** What stands beneath a row of the list, if something is wrong with it. */
function warningBelow(row) {
  return row.evaluate((one) => (one.nextElementSibling?.matches(".under") ? one.nextElementSibling.innerText.trim() : ""));
}

for (const javaScriptEnabled of [true, false]) {
  const how = javaScriptEnabled ? "with the script" : "without JavaScript";
  const mark = javaScriptEnabled ? "js" : "plain";
  test(`the answer to a request is imported on its own page, ${how}`, async () => {
    const { context, page } = await visitor(browser, server.url, { javaScriptEnabled });
    const file = (name) => join(server.home, `${mark}-${name}`);
    const openssl = (...args) => execFileSync("openssl", args, { stdio: ["ignore", "pipe", "ignore"] });
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
      "-subj", `/CN=Outside CA ${mark}`, "-keyout", file("ca.key"), "-out", file("ca.pem"));
    await logIn(page);
    await page.goto("/certificates/new");
    await page.getByLabel("Certificate Friendly Name").fill(`answered ${mark}`);
    await page.getByLabel("Name (Common Name)").fill(`answered-${mark}.example.org`);
    await page.getByRole("button", { name: "Create Certificate Request" }).click();
    await section(page, "Certificate Requests").getByRole("link", { name: `CN=answered-${mark}.example.org` }).click();
    writeFileSync(file("request.pem"), await page.getByRole("textbox", { name: "Request Data" }).inputValue());
    openssl("req", "-in", file("request.pem"), "-verify", "-noout");
    openssl("x509", "-req", "-in", file("request.pem"), "-CA", file("ca.pem"), "-CAkey", file("ca.key"),
      "-days", "20", "-copy_extensions", "copyall", "-out", file("answer.pem"));

    await page.getByLabel("Or paste the text").fill("this is no certificate");
    await page.getByRole("button", { name: "Upload" }).click();
    assert.match(await page.getByRole("alert").innerText(), /nothing has been stored/i);

    await page.getByLabel("Files").setInputFiles(file("answer.pem"));
    await page.getByRole("button", { name: "Upload" }).click();
    const found = section(page, "What was found");
    assert.match(await found.innerText(), new RegExp(`answers the request “answered ${mark}”`));
    await page.getByRole("button", { name: "Confirm import" }).click();
    await page.getByRole("heading", { level: 1, name: `answered ${mark}` }).waitFor();
    assert.match(await page.getByRole("main").innerText(), /chain\.incomplete/);

    // "If the new certificate shows a warning beneath its name ..."
    const answer = page.url();
    await page.goto("/certificates");
    const answered = section(page, "Certificates").getByRole("row").filter({ hasText: `answered ${mark}` });
    assert.match(await warningBelow(answered), /^\d+ warnings?: /);
    await page.goto(answer);

    // "Then upload the root certificate file used by the CA."
    await page.getByRole("link", { name: "Import what is missing" }).first().click();
    await page.getByLabel("Or paste the text").fill(readFileSync(file("ca.pem"), "utf8"));
    await page.getByRole("button", { name: "Upload" }).click();
    assert.match(await found.innerText(), /Root certificate/);
    await page.getByRole("button", { name: "Confirm import" }).click();
    await page.getByRole("status").first().getByText("1 certificate new here.").waitFor();
    const row = section(page, "Certificates").getByRole("row").filter({ hasText: `answered ${mark}` });
    const text = await row.innerText();
    assert.match(text, new RegExp(`Outside CA ${mark}`));
    assert.equal(await warningBelow(row), "");
    await context.close();
  });

  // Seed 004: "Import the Certificate", its renewal, and the copy on a failover appliance.
  test(`import the certificate, ${how}`, async () => {
    const { context, page, wrong } = await visitor(browser, server.url, { javaScriptEnabled });
    const file = (name) => join(server.home, `chain-${mark}-${name}`);
    const openssl = (...args) => execFileSync("openssl", args, { stdio: ["ignore", "pipe", "ignore"] });
    const host = `access-${mark}.example.com`;
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    openssl("req", "-x509", ...key, "-days", "3000", "-subj", `/CN=Public Root ${mark}`,
      "-keyout", file("root.key"), "-out", file("root.pem"));
    openssl("req", ...key, "-subj", `/CN=Public CA ${mark}`, "-keyout", file("ca.key"), "-out", file("ca.csr"));
    writeFileSync(file("ca.ext"), "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n");
    openssl("x509", "-req", "-in", file("ca.csr"), "-CA", file("root.pem"), "-CAkey", file("root.key"),
      "-days", "2000", "-extfile", file("ca.ext"), "-outform", "DER", "-out", file("ca.der"));
    openssl("req", ...key, "-subj", `/CN=${host}`, "-keyout", file("site.key"), "-out", file("site.csr"));
    writeFileSync(file("site.ext"), `subjectAltName=DNS:${host}\nextendedKeyUsage=serverAuth\n`);
    const issue = (days, out) => openssl("x509", "-req", "-in", file("site.csr"), "-CA", file("ca.der"), "-CAform", "DER",
      "-CAkey", file("ca.key"), "-days", days, "-extfile", file("site.ext"), "-out", out);
    issue("20", file("site.pem"));
    issue("60", file("renewed.pem"));
    openssl("x509", "-in", file("ca.der"), "-inform", "DER", "-out", file("ca.pem"));
    openssl("pkcs12", "-export", "-inkey", file("site.key"), "-in", file("site.pem"), "-certfile", file("ca.pem"),
      "-name", `copied ${mark}`, "-passout", "pass:a long passphrase", "-out", file("site.p12"));

    await logIn(page);
    const toImport = async () => {
      await page.goto("/");
      await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Certificates", exact: true }).click();
      await section(page, "Certificate Installation").getByRole("link", { name: "Import", exact: true }).click();
    };
    // "Browse to the certificate file ... enter it in the Password field. Then click Upload."
    await toImport();
    await page.getByLabel("Files", { exact: true }).setInputFiles([file("root.pem"), file("site.p12")]);
    await page.getByLabel("Password").fill("not this one");
    await page.getByRole("button", { name: "Upload" }).click();
    assert.match(await page.getByRole("alert").innerText(), /nothing has been stored/i);
    assert.equal(await page.getByLabel("Password").inputValue(), "");
    await page.getByLabel("Files", { exact: true }).setInputFiles([file("root.pem"), file("site.p12")]);
    await page.getByLabel("Password").fill("a long passphrase");
    await page.getByRole("button", { name: "Upload" }).click();
    const found = section(page, "What was found");
    for (const kind of ["Server certificate", "Intermediate certificate", "Root certificate"]) {
      assert.equal(await found.getByRole("cell", { name: kind }).count(), 1, kind);
    }
    assert.match(await found.innerText(), new RegExp(`Private key “copied ${mark}”`));
    const chain = section(page, `Chain of ${host} as it would be served`);
    assert.match(await chain.innerText(), new RegExp(`Public CA ${mark}[^]*Public Root ${mark}[^]*not sent`));
    await page.getByLabel("Certificate Friendly Name").fill(`named ${mark}`);
    await page.getByRole("button", { name: "Show it like this" }).click();
    assert.match(await found.innerText(), new RegExp(`named ${mark}`));
    await page.getByRole("button", { name: "Confirm import" }).click();
    // "Your signed certificate should now appear in the Security :: Certificates section."
    const row = section(page, "Certificates").getByRole("row").filter({ hasText: host });
    const text = await row.innerText();
    assert.match(text, new RegExp(`named ${mark}`));
    assert.match(text, /Yes/);
    assert.equal(await warningBelow(row), "");

    // Several keys: a person chooses, before anything is said of chains; nothing is called missing that is in the files.
    openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", file("other.key"));
    openssl("req", "-new", "-key", file("other.key"), "-subj", `/CN=other-${mark}.example.com`, "-out", file("other.csr"));
    writeFileSync(file("other.ext"), `subjectAltName=DNS:other-${mark}.example.com\nextendedKeyUsage=serverAuth\n`);
    openssl("x509", "-req", "-in", file("other.csr"), "-CA", file("ca.der"), "-CAform", "DER", "-CAkey", file("ca.key"),
      "-days", "20", "-extfile", file("other.ext"), "-out", file("other.pem"));
    await toImport();
    const both = ["site.key", "renewed.pem", "other.key", "other.pem"].map(file);
    await page.getByLabel("Files", { exact: true }).setInputFiles(both);
    await page.getByRole("button", { name: "Upload" }).click();
    assert.match(await found.innerText(), /choose it/);
    assert.doesNotMatch(await page.getByRole("main").innerText(), /key\.missing/);
    assert.equal(await page.getByRole("button", { name: "Confirm import" }).count(), 0);
    await page.getByRole("radio", { name: new RegExp(`other-${mark}`) }).check();
    await page.getByRole("button", { name: "Show it like this" }).click();
    assert.match(await found.innerText(), /A lineage is founded on it/);
    await page.getByRole("button", { name: "Forget it" }).click();

    // "This new certificate can be identified by its Expiration."
    await toImport();
    await page.getByLabel("Files", { exact: true }).setInputFiles(file("renewed.pem"));
    await page.getByRole("button", { name: "Upload" }).click();
    assert.match(await found.innerText(), new RegExp(`renews the lineage “named ${mark}”`));
    await page.getByText("This new certificate can be identified by its Expiration").waitFor();
    await page.getByRole("button", { name: "Forget it" }).click();
    await page.getByRole("status").first().getByText("Nothing was stored").waitFor();

    // What is gone says so.
    await page.goto("/certificates/import/imp-abcdefghijkmnpqrstuv");
    await page.getByRole("status").first().getByText("is not held here").waitFor();
    assert.deepEqual(wrong, []);
    await context.close();
  });
}
