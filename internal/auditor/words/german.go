package words

// german translates what this program says.
var german = map[string]string{
	// verdict and positions
	"intact": "unversehrt", "broken": "verändert", "verdict": "Urteil",
	"entry %s": "Eintrag %s", "entries %s–%s": "Einträge %s–%s",
	"the log is broken: %s":            "das Protokoll ist verändert: %s",
	"the log is broken: %s: %s":        "das Protokoll ist verändert: %s: %s",
	"the receipt does not hold: %s":    "die Quittung stimmt nicht: %s",
	"the receipt is not of this entry": "die Quittung gehört nicht zu diesem Eintrag",

	// the table on a terminal
	"log": "Protokoll", "none: the log is empty": "keiner: das Protokoll ist leer", "entries": "Einträge", "%s of %s%s": "%s von %s%s",
	", %s to %s": ", %s bis %s", "signatures": "Unterschriften", "%s critical entries": "%s kritische Einträge",
	"personal": "Personenbezug", "%s readable, %s erased, %s withheld": "%s lesbar, %s gelöscht, %s nicht mitgegeben",
	"older": "Älteres", "%d checkpoints and %d receipts confirmed": "%d Checkpoints und %d Quittungen bestätigt",
	"keys": "Schlüssel", "%d, given by you": "%d, von Ihnen vorgegeben",
	"%d, from the export itself: NOT PINNED":   "%d, aus dem Export selbst: NICHT VORGEGEBEN",
	"findings, the first to look at in front:": "Befunde, der zuerst zu betrachtende voran:", "and %s more": "und %s weitere",
	"warning: only the export's own keys were used. They show that the export is consistent, not who signed it; " +
		"pass --keys with a key history obtained by another way.": "Warnung: Nur die Schlüssel des Exports selbst wurden verwendet. Sie zeigen, " +
		"dass er in sich stimmt, nicht wer ihn unterschrieben hat; geben Sie mit --keys eine auf anderem Weg erhaltene Schlüsselhistorie vor.",
	"%s of %s entries": "%s von %s Einträgen", ", %s left": ", noch %s",

	"%s rendered again, %s differ, %s unknown": "%s neu erzeugt, %s weichen ab, %s unbekannt",
	"%s: %s checkpoints, up to size %s on %s":  "%s: %s Checkpoints, bis Größe %s am %s",
	"time stamps": "Zeitstempel", "%d valid, %d not; size %s existed on %s, says %s": "%d gültig, %d nicht; Größe %s bestand am %s, sagt %s",
	"%d, none of them confirmed": "%d, keiner davon bestätigt", "timestamp": "Zeitstempel",
	"by an authority that is not trusted": "von einer Stelle, der nicht vertraut wird", "broken, see the findings": "falsch, siehe Befunde",
	"not checked: no --tsa-roots": "nicht geprüft: ohne --tsa-roots", "tsa: token is over another text": "der Zeitstempel gilt einem anderen Checkpoint",
	"on %s": "am %s", "read": "gelesen",
	"from entry %s on; the earlier checkpoint is trusted for what is before": "ab Eintrag %s; für das davor wird dem früheren Checkpoint vertraut",
	"entries %s to %s are lost after a restore, says entry %s of %s":         "Einträge %s bis %s sind nach einer Wiederherstellung verloren, erklärt Eintrag %s vom %s",

	"%s is not a zip archive": "%s ist kein Zip-Archiv",

	// receipts and entries
	"position": "Position", "entry %s of %s": "Eintrag %s von %s", "proof": "Beweis",
	"holds under the keys given by you":             "stimmt unter den von Ihnen vorgegebenen Schlüsseln",
	"holds under the export's own keys: NOT PINNED": "stimmt unter den Schlüsseln des Exports selbst: NICHT VORGEGEBEN",
	"readable": "lesbar",
	"the entry is not in the form it should be: %s": "der Eintrag hat nicht die vorgeschriebene Form: %s",

	"a cosignature by a known witness does not verify": "die Mitzeichnung eines bekannten Zeugen stimmt nicht", "cosigned by %d of %d witnesses": "mitgezeichnet von %d von %d Zeugen",

	// kinds of findings
	"malformed_entry": "Eintrag", "sequence": "Reihenfolge", "tenant": "Mandant", "time": "Zeit", "broken_link": "Verkettung",
	"hash": "Hash", "leaf": "Blatt", "tile": "Kachel", "root": "Wurzel", "truncated": "abgeschnitten", "trailing": "überzählig",
	"signature": "Unterschrift", "opening": "Öffnung", "missing_opening": "fehlende Öffnung", "redaction": "Löschung",
	"checkpoint": "Checkpoint", "receipt": "Quittung", "file": "Datei", "key": "Schlüssel", "witness": "Zeuge", "closed": "abgeschlossen", "gap": "Lücke",
}
