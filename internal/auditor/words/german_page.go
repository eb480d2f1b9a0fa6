package words

// pages translates what the report says.
var pages = map[string]string{
	"Audit log, verification report": "Audit-Protokoll, Prüfbericht",
	"period":                         "Zeitraum", "export": "Export", "checked": "geprüft",

	// headline and notices
	"All %s entries are in their order and their form, and give what was signed.": "Alle %s Einträge stehen in ihrer Reihenfolge und Form und ergeben, was unterschrieben ist.",
	"First fault: %s: %s": "Erster Befund: %s: %s", "The log is empty.": "Das Protokoll ist leer.",
	"DECLARED GAP": "ERKLÄRTE LÜCKE",
	"After a restore the entries %s to %s are lost: %s entries. Entry %s of %s declares it, decided by two people. What they said, nobody can tell from this log.": "Nach einer Wiederherstellung sind die Einträge %s bis %s verloren: %s Einträge. Eintrag %s vom %s erklärt dies, " +
		"entschieden von zwei Personen. Was in ihnen stand, lässt sich aus diesem Protokoll nicht sagen.",
	"RECEIPTS OF LOST ENTRIES": "QUITTUNGEN VERLORENER EINTRÄGE",
	"%d of the receipts given prove entries that lie in a declared gap.": "%d der vorgelegten Quittungen belegen Einträge, die in einer erklärten Lücke liegen.",
	"KEYS NOT PINNED": "SCHLÜSSEL NICHT VORGEGEBEN",
	"Only the export's own keys were used. They show that the export is consistent, not who signed it. Whoever controls a log can write it anew and sign it with new keys.": "Nur die Schlüssel des Exports selbst wurden verwendet. Sie zeigen, dass er in sich stimmt, nicht wer ihn unterschrieben hat. " +
		"Wer ein Protokoll beherrscht, kann es neu schreiben und mit neuen Schlüsseln unterschreiben.",
	"COMPROMISED KEYS": "KOMPROMITTIERTE SCHLÜSSEL",
	"Keys of this log got into wrong hands. Only what witnesses, receipts and earlier checkpoints confirm is beyond doubt up to the change of keys.": "Schlüssel dieses Protokolls sind in falsche Hände geraten. " +
		"Bis zum Schlüsselwechsel steht nur außer Zweifel, was Zeugen, Quittungen und frühere Checkpoints bestätigen.",
	"INCREMENTAL CHECK": "FORTGESETZTE PRÜFUNG",
	"Entries before %s were not read: the earlier checkpoint that was given is trusted for them.": "Einträge vor %s wurden nicht gelesen: Für sie wird dem vorgelegten früheren Checkpoint vertraut.",
	"CLOSED LOG": "ABGESCHLOSSENES PROTOKOLL", "The log was ended on %s; no entry follows.": "Das Protokoll wurde am %s beendet; kein Eintrag folgt.",

	// figures
	"In figures": "In Zahlen", "entries read": "gelesene Einträge", "of %s": "von %s", "critical entries": "kritische Einträge",
	"with a valid signature of their own": "mit gültiger eigener Unterschrift", "older checkpoints": "ältere Checkpoints", "confirmed": "bestätigt",
	"narratives": "Narrative", "rendered again, %s differ, %s unknown": "neu erzeugt, %s weichen ab, %s unbekannt",
	"personal values": "personenbezogene Werte", "readable, %s erased, %s withheld": "lesbar, %s gelöscht, %s nicht mitgegeben",
	"erasures": "Löschungen", "in the log": "im Protokoll",

	// findings and their surroundings
	"Findings": "Befunde", "The first to look at in front.": "Der zuerst zu betrachtende steht voran.", "kind": "Art", "what was found": "was gefunden wurde",
	"Around": "Umfeld von", "Stored values beside the ones computed again.": "Gespeicherte Werte neben den neu berechneten.",
	"action": "Aktion", "link": "Verkettung", "field by field": "Feld für Feld", "field": "Feld", "stored": "gespeichert", "computed again": "neu berechnet",
	"differs": "weicht ab", "leaf in the tree": "Blatt im Baum", "not in form: %d bytes with SHA-256 %x": "nicht in Form: %d Bytes mit SHA-256 %x",

	// timeline
	"Timeline": "Zeitverlauf", "%s days": "%s Tagen", "%s hours": "%s Stunden", "%s minutes": "%s Minuten",
	"%s entries from %s to %s": "%s Einträge von %s bis %s", "%s entries in %s": "%s Einträge in %s",
	"%s: %s entries, %s critical": "%s: %s Einträge, %s kritisch", "declared gap: %s": "erklärte Lücke: %s", "declared gap": "erklärte Lücke",
	"broken position": "veränderte Stelle", "change of keys or end of the log": "Schlüsselwechsel oder Ende des Protokolls",
	"What the log says about itself": "Was das Protokoll über sich selbst sagt", "event": "Ereignis",
	"keys changed": "Schlüssel gewechselt", "restored with a declared gap": "wiederhergestellt mit erklärter Lücke", "log closed": "Protokoll abgeschlossen",

	// outside memory, keys, witnesses
	"Checked against what": "Wogegen geprüft wurde", "What was brought from outside the export.": "Was von außerhalb des Exports mitgebracht wurde.",
	"brought": "mitgebracht", "from": "aus", "result": "Ergebnis",
	"Nothing was brought from outside: the export was judged by itself.": "Nichts wurde von außen mitgebracht: Der Export wurde nur an sich selbst gemessen.",
	"the checkpoint is signed by them":                                   "der Checkpoint ist mit ihnen unterschrieben", "the checkpoint is not signed by them": "der Checkpoint ist nicht mit ihnen unterschrieben",
	"contained in the log": "im Protokoll enthalten", "see the findings": "siehe Befunde", "not confirmed": "nicht bestätigt", "earlier checkpoint": "früherer Checkpoint",
	"continued by the log": "vom Protokoll fortgesetzt", "cosigned": "mitgezeichnet", "no cosignature": "keine Mitzeichnung",
	"origin": "Ursprung", "as expected": "wie erwartet", "another one": "ein anderer",
	"Keys and their life": "Schlüssel und ihre Lebenszeit", "signs": "unterschreibt", "valid": "gültig", "trust": "Vertrauen",
	"checkpoints": "Checkpoints", "checkpoints, for stock tools": "Checkpoints, für Standardwerkzeuge", "still valid": "noch gültig", "until %s": "bis %s", "from %s": "ab %s",
	"COMPROMISED": "KOMPROMITTIERT", "pinned": "vorgegeben", "announced by entry %s": "angekündigt durch Eintrag %s", "from the export only": "nur aus dem Export",
	"Witnesses": "Zeugen", "newest": "neueste", "size %s on %s": "Größe %s am %s", "No cosignature of a given witness.": "Keine Mitzeichnung eines vorgegebenen Zeugen.",
	"Time stamps": "Zeitstempel", "size": "Größe", "authority": "Stelle",

	// narratives, files, how to repeat
	"Newest critical entries": "Neueste kritische Einträge", "None.": "Keine.", "narrative": "Narrativ", "check": "Prüfung",
	"At most twenty, the newest first. Personal values stand in the sentences as far as the export opens them.": "Höchstens zwanzig, der neueste zuerst. Personenbezogene Werte stehen in den Sätzen, soweit der Export sie öffnet.",
	"rendered again": "neu erzeugt", "unknown template": "unbekannte Vorlage", "DIFFERS from its arguments": "WEICHT von seinen Argumenten AB", "bound text only": "nur gebundener Text",
	"Narratives that do not match their arguments": "Narrative, die nicht zu ihren Argumenten passen",
	"How to repeat this check":                     "So lässt sich diese Prüfung wiederholen",
	"The check needs no network, no database and no trust in whoever made the export: the formats are specified in the documentation of the Go package github.com/pioneerdesk/tomkit/ledger/verify, from which a second implementation can be written.": "Die Prüfung braucht " +
		"kein Netz, keine Datenbank und kein Vertrauen in den Ersteller des Exports: Die Formate sind in der Dokumentation des Go-Pakets github.com/pioneerdesk/tomkit/ledger/verify festgelegt, wonach sich eine zweite Umsetzung schreiben lässt.",
	"SHA-256 of the files this report is about": "SHA-256 der Dateien, von denen dieser Bericht handelt",
	"What the verdict means":                    "Was das Urteil bedeutet",
	"INTACT: no entry was changed, removed, inserted or moved since the checkpoint was signed, and nothing that was given from outside contradicts it. It does not mean that everything was recorded, nor that what was recorded is true.": "UNVERSEHRT: Seit der Checkpoint " +
		"unterschrieben wurde, ist kein Eintrag verändert, entfernt, eingefügt oder verschoben worden, und nichts von außen Vorgelegtes widerspricht dem. Es bedeutet nicht, dass alles aufgezeichnet wurde, noch dass das Aufgezeichnete wahr ist.",
}
