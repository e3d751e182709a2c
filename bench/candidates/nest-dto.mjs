/** `POST /clients` with class-validator. Decorators are not erasable syntax, so they are applied by hand. */
import { Type } from 'class-transformer'
import {
  IsBase64,
  IsBoolean,
  IsDateString,
  IsEmail,
  IsIn,
  IsInt,
  IsISO31661Alpha3,
  IsOptional,
  IsString,
  Length,
  Matches,
  MaxLength,
  ValidateNested,
} from 'class-validator'

/** 2 MiB in Base64. */
const documentMaxLength = Math.ceil((2 * 1024 ** 2) / 3) * 4

function applyTo(target, rules) {
  for (const [property, decorators] of Object.entries(rules)) {
    for (const decorate of decorators) decorate(target.prototype, property)
  }
}

const text = [IsString(), Length(1, 255)]
const name = [IsOptional(), IsString(), Length(1, 100), Matches(/^[A-Za-zÀ-ɏ'ʻʼ’ .-]+$/)]

export class AddressDto {}
applyTo(AddressDto, { country: [IsISO31661Alpha3()], postalCode: text, city: text, street: text, building: text })

export class IdentificationDto {}
applyTo(IdentificationDto, { identifiedAt: [IsDateString()], identifiedBy: text })

const nestedAddress = [IsOptional(), ValidateNested(), Type(() => AddressDto)]

export class CreateClientDto {}
applyTo(CreateClientDto, {
  phone: [IsString(), Matches(/^\+[1-9][0-9]{6,14}$/)],
  type: [IsOptional(), IsIn(['individual', 'legal-entity', 'individual-entrepreneur'])],
  resident: [IsOptional(), IsBoolean()],
  firstName: name,
  lastName: name,
  middleName: name,
  birthDate: [IsOptional(), IsDateString({ strict: true })],
  email: [IsOptional(), IsEmail(), MaxLength(255)],
  country: [IsOptional(), IsISO31661Alpha3()],
  personId: [IsOptional(), IsString(), Length(1, 64)],
  language: [IsOptional(), Matches(/^[a-z]{2}$/)],
  // JVBERi0 is what %PDF- begins with in Base64.
  document: [IsOptional(), IsString(), MaxLength(documentMaxLength), IsBase64(), Matches(/^JVBERi0/)],
  externalUserId: [IsOptional(), IsString(), Length(1, 128)],
  registrationAddress: nestedAddress,
  residentialAddress: nestedAddress,
  identification: [IsOptional(), ValidateNested(), Type(() => IdentificationDto)],
  productId: [IsOptional(), IsInt()],
  branchId: [IsOptional(), ...text],
})
