"use strict";
const texts = {
	en: {
		title: "Verify an audit log", language: "Language", drop: "Drop an export (.zip) here, or choose it",
		intro: "Every entry is checked: its form, order, links, hashes and signatures, then the tree over all entries against the signed checkpoint.",
		also: "With it, if you have them: the log's keys.json from another source, receipts (.tlog-proof), an earlier checkpoint.",
		findings: "Findings, the first to look at in front", position: "Position", found: "What was found", save: "Save the report",
		private: "Nothing leaves this browser: the page's policy forbids every connection.", unusable: "NOT AN EXPORT", starting: "starting …",
	},
	de: {
		title: "Audit-Protokoll prüfen", language: "Sprache", drop: "Export (.zip) hier ablegen oder auswählen",
		intro: "Jeder Eintrag wird geprüft: Form, Reihenfolge, Verkettung, Hashes und Unterschriften, dann der Baum über alle Einträge gegen den unterschriebenen Checkpoint.",
		also: "Dazu, falls vorhanden: die keys.json des Protokolls aus anderer Quelle, Quittungen (.tlog-proof), ein früherer Checkpoint.",
		findings: "Befunde, der zuerst zu betrachtende voran", position: "Position", found: "Was gefunden wurde", save: "Bericht speichern",
		private: "Nichts verlässt diesen Browser: Die Regeln der Seite verbieten jede Verbindung.", unusable: "KEIN EXPORT", starting: "beginnt …",
	},
};
const get = (id) => document.getElementById(id);
let lang = "en";
let report = null;

function speak(l) {
	lang = l in texts ? l : "en";
	document.documentElement.lang = lang;
	get("language").value = lang;
	document.title = texts[lang].title;
	for (const e of document.querySelectorAll("[data-t]")) e.textContent = texts[lang][e.dataset.t];
}

// program is the verifier, unpacked and started once.
const program = (async () => {
	const packed = Uint8Array.from(atob(get("wasm").textContent), (c) => c.charCodeAt(0));
	const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
	const go = new Go();
	const { instance } = await WebAssembly.instantiate(await new Response(stream).arrayBuffer(), go.importObject);
	go.run(instance);
})();

function show(kind, verdict, summary, notices, findings) {
	const result = get("result");
	result.className = kind;
	get("verdict").textContent = verdict;
	get("summary").textContent = summary;
	get("notices").replaceChildren(...notices.map((text) => Object.assign(document.createElement("li"), { textContent: text })));
	get("findings").hidden = findings.length === 0;
	get("findings").tBodies[0].replaceChildren(...findings.map((f) => {
		const row = document.createElement("tr");
		row.append(Object.assign(document.createElement("th"), { textContent: f.where, scope: "row" }),
			Object.assign(document.createElement("td"), { textContent: f.text }));
		return row;
	}));
	get("save").hidden = report === null;
	result.hidden = false;
}

let busy = false;
async function check(files) {
	if (busy || files.length === 0) return;
	busy = true;
	report = null;
	get("result").hidden = true;
	get("bar").removeAttribute("value");
	get("far").textContent = texts[lang].starting;
	get("working").hidden = false;
	try {
		await program;
		const r = await verifyExport(files, lang, (share, text) => {
			get("bar").value = share;
			get("far").textContent = text;
		});
		report = r.report;
		show(r.intact ? "intact" : "broken", r.verdict, r.summary, r.notices, r.findings);
	} catch (e) {
		show("unusable", texts[lang].unusable, e.message, [], []);
	}
	get("working").hidden = true;
	busy = false;
}

get("language").addEventListener("change", (e) => speak(e.target.value));
get("files").addEventListener("change", (e) => check(Array.from(e.target.files)));
get("save").addEventListener("click", () => {
	const link = document.createElement("a");
	link.href = URL.createObjectURL(new Blob([report], { type: "text/html" }));
	link.download = "report.html";
	link.click();
	setTimeout(() => URL.revokeObjectURL(link.href), 1000);
});
addEventListener("dragover", (e) => { e.preventDefault(); get("drop").classList.add("over"); });
addEventListener("dragleave", () => get("drop").classList.remove("over"));
addEventListener("drop", (e) => { e.preventDefault(); get("drop").classList.remove("over"); check(Array.from(e.dataTransfer.files)); });
speak(navigator.language.slice(0, 2));
