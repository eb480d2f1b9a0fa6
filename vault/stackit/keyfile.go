package stackit

// maxKeyFile is the largest key file in bytes. Real ones have about 4 KiB.
const maxKeyFile = 64 << 10

// ReadKey reads a service account key file, and the private key from a PEM file of its own where the customer made it
// (otherwise privatePath is empty). Both must be regular files of this user or root that nobody else can read or write;
// links are refused, as is anything over 64 KiB ([ErrKeyFile]). What was read is zeroed.
func ReadKey(path, privatePath string) (*Key, error) {
	document, err := readPrivate(path)
	if err != nil {
		return nil, err
	}
	defer clear(document)
	var private []byte
	if privatePath != "" {
		if private, err = readPrivate(privatePath); err != nil {
			return nil, err
		}
		defer clear(private)
	}
	return ParseKey(document, private)
}
