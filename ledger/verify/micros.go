package verify

// appendMicros appends the time micros microseconds after the Unix epoch as time.RFC3339Nano prints it in UTC. It is
// the hot half of the chain formula; a test holds it against package time. micros is within 0 … maxMicros.
func appendMicros(b []byte, micros int64) []byte {
	const day = 86400
	secs, frac := micros/1e6, int(micros%1e6)
	year, month, dom := civil(secs / day)
	tod := int(secs % day)
	b = append(b,
		byte('0'+year/1000), byte('0'+year/100%10), byte('0'+year/10%10), byte('0'+year%10), '-',
		byte('0'+month/10), byte('0'+month%10), '-',
		byte('0'+dom/10), byte('0'+dom%10), 'T',
		byte('0'+tod/36000), byte('0'+tod/3600%10), ':',
		byte('0'+tod/600%6), byte('0'+tod/60%10), ':',
		byte('0'+tod/10%6), byte('0'+tod%10))
	if frac != 0 {
		b = append(b, '.')
		for unit := 100_000; frac != 0; unit /= 10 {
			b = append(b, byte('0'+frac/unit))
			frac %= unit
		}
	}
	return append(b, 'Z')
}

// civil turns days since 1970-01-01 into a date of the Gregorian calendar. It counts from March so that the leap day
// is the last of its year; days is not negative.
func civil(days int64) (year, month, dom int) {
	const (
		daysTo1970  = 719468 // from 0000-03-01
		perEra      = 146097 // days in 400 years
		perCentury  = 36524
		perFour     = 1461
		perYear     = 365
		marchToJune = 153 // days in five months from March
	)
	days += daysTo1970
	era, doe := days/perEra, days%perEra
	yoe := (doe - doe/(perFour-1) + doe/perCentury - doe/(perEra-1)) / perYear
	doy := doe - (perYear*yoe + yoe/4 - yoe/100)
	m := (5*doy + 2) / marchToJune
	dom = int(doy - (marchToJune*m+2)/5 + 1)
	month = int(m) + 3
	year = int(yoe + era*400)
	if month > 12 {
		month -= 12
		year++
	}
	return year, month, dom
}
