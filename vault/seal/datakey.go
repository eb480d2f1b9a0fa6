package seal

import "crypto/rand"

// NewDataKey makes a random key for one tenant, or any other scope that aad names, and returns it twice: sealed by r, to be
// stored beside the data, and as a Ring that seals the data. r holds the key-encryption key, which then seals one value per
// scope; rotating it means resealing these, not the data. Deleting the sealed key erases the data wherever it was copied.
func (r *Ring) NewDataKey(aad []byte) (sealed string, data *Ring, err error) {
	bytes := make([]byte, KeySize)
	defer clear(bytes)
	if _, err := rand.Read(bytes); err != nil {
		return "", nil, err
	}
	if sealed, err = r.Seal(bytes, aad); err != nil {
		return "", nil, err
	}
	data, err = New(Config{Active: Key{Bytes: bytes}})
	return sealed, data, err
}

// OpenDataKey returns the Ring of a key that NewDataKey sealed. The first key seals; old ones, sealed for the same aad, open
// what they sealed. Errors are those of [Ring.Open].
func (r *Ring) OpenDataKey(aad []byte, sealed string, old ...string) (*Ring, error) {
	var cfg Config
	for i, text := range append([]string{sealed}, old...) {
		bytes, err := r.Open(text, aad)
		if err != nil {
			return nil, err
		}
		defer clear(bytes)
		if i == 0 {
			cfg.Active.Bytes = bytes
			continue
		}
		cfg.Old = append(cfg.Old, Key{Bytes: bytes})
	}
	return New(cfg)
}
