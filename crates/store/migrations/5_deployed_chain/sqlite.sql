-- With which chain a deployment was tried: who has a shorter one than there is now gets the new one.
ALTER TABLE deployment ADD COLUMN chain BLOB;
